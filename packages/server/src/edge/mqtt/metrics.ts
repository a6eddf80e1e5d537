import type { Metrics } from '../../ports/observe.ts';

export interface MqttMetrics {
  connections(count: number): void;
  /** One message is durable in its stream. */
  stored(payloadBytes: number): void;
  refused(what: 'connection' | 'message'): void;
}

export function createMqttMetrics(metrics: Metrics): MqttMetrics {
  const connections = metrics.gauge('sluice_mqtt_connections', 'Connected MQTT clients');
  const messages = metrics.counter('sluice_mqtt_messages_total', 'MQTT messages stored in a stream');
  const bytes = metrics.counter('sluice_mqtt_payload_bytes_total', 'Bytes of their payloads');
  const refused = metrics.counter('sluice_mqtt_refused_total', 'MQTT connections and messages refused', [
    'what',
  ]);
  return {
    connections: (count) => connections.set(count),
    stored(payloadBytes) {
      messages.add(1);
      bytes.add(payloadBytes);
    },
    refused: (what) => refused.add(1, { what }),
  };
}
