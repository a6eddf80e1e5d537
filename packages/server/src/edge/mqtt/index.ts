export { createMqttListener, type MqttListener, type MqttOptions } from './listener.ts';
