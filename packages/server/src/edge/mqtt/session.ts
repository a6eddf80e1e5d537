/**
 * One connection of a device: CONNECT, then messages into streams, each answered when it is durable.
 *
 * - Q1: a PUBACK is sent after the record is in its stream, and in the order of the PUBLISHes (MQTT 5.0, 4.6).
 * - Q2: messages of one connection are appended one batch after the other, so that a retry never overtakes.
 * - Q3: what is read and not yet in a stream is bounded; beyond it the connection isn't read.
 * - Q4: nothing that can't be done is accepted in silence: it is refused by a reason code where the protocol version
 *   has one for it, and by the end of the connection, without a PUBACK, where it hasn't.
 */
import type { Socket } from 'node:net';
import {
  generate,
  parser as createParser,
  type IConnectPacket,
  type IDisconnectPacket,
  type IPublishPacket,
  type ISubscribePacket,
  type IUnsubscribePacket,
  type Packet,
} from 'mqtt-packet';
import type { Clock, Timer } from '../../ports/clock.ts';
import { judge, type Client, type Handshake } from './handshake.ts';
import { ENVELOPE_BYTES_MAX, type MqttLimits } from './limits.ts';
import type { MqttMetrics } from './metrics.ts';
import type { Message, Publisher } from './publisher.ts';
import { REASONS, type Reason } from './reasons.ts';

export interface SessionOptions {
  readonly socket: Socket;
  readonly handshake: Handshake;
  readonly publisher: Publisher;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly metrics: MqttMetrics;
  /** Why it can't be let in although its CONNECT is good; otherwise it counts as connected from then on. */
  readonly admit: (client: Client, session: Session) => Reason | undefined;
  readonly onEnd: (session: Session) => void;
}

interface Arrived extends Message {
  readonly messageId: number | undefined;
}

const NO_SUBSCRIPTION_EXISTED = 0x11;
const SUBACK_FAILURE_V3 = 0x80;
const DISCONNECT_WITH_WILL = 0x04;

export class Session {
  readonly #options: SessionOptions;
  readonly #parser = createParser();
  readonly #ended = Promise.withResolvers<void>();
  #client: Client | undefined;
  #pending: Arrived[] = [];
  #pendingBytes = 0;
  #pumping: Promise<void> | undefined;
  #closing = false;
  #willDue = true;
  #lastMs: number;
  #timer: Timer;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { socket, clock, limits } = options;
    this.#lastMs = clock.monotonicMs();
    this.#timer = clock.timer(limits.handshakeMsMax, () => socket.destroy());
    this.#parser.on('packet', (packet) => this.#take(packet));
    this.#parser.on('error', (error: unknown) => this.#malformed(error));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => void this.#closed());
    socket.setNoDelay(true);
  }

  /** Who is connected; undefined before the CONNECT was let in. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Resolves when the socket is closed and everything that was taken from it is in its stream or refused. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Ends the connection, telling an MQTT 5 client why. What it has no answer to is not in a stream, or will be twice. */
  end(reason: Reason): void {
    if (this.#closing) return;
    const { socket, clock, limits } = this.#options;
    this.#closing = true;
    if (this.#client?.version === 5) {
      const packet: IDisconnectPacket = { cmd: 'disconnect', reasonCode: reason.code };
      this.#send(packet, reason.text);
    }
    this.#drop();
    socket.end();
    this.#timer.cancel();
    this.#timer = clock.timer(limits.lingerMsMax, () => socket.destroy());
  }

  #read(chunk: Buffer): void {
    if (this.#closing) return;
    this.#lastMs = this.#options.clock.monotonicMs();
    const buffered = this.#parse(chunk);
    const { payloadBytesMax } = this.#options.limits;
    const bytesMax = this.#client === undefined ? ENVELOPE_BYTES_MAX : payloadBytesMax + ENVELOPE_BYTES_MAX;
    if (buffered > bytesMax) this.#refuse(REASONS.tooLarge(payloadBytesMax));
    this.#flow();
    if (this.#pending.length > 0) this.#pumping ??= this.#pump();
  }

  /** Bytes of a packet that isn't whole yet. */
  #parse(chunk: Buffer): number {
    try {
      return this.#parser.parse(chunk);
    } catch (error) {
      this.#malformed(error);
      return 0;
    }
  }

  #take(packet: Packet): void {
    if (this.#closing) return;
    if (this.#client === undefined) {
      if (packet.cmd === 'connect') this.#connect(packet);
      else this.#options.socket.destroy();
      return;
    }
    switch (packet.cmd) {
      case 'publish':
        this.#publish(packet, this.#client);
        break;
      case 'pingreq':
        this.#send({ cmd: 'pingresp' });
        break;
      case 'subscribe':
        this.#subscribe(packet, this.#client);
        break;
      case 'unsubscribe':
        this.#unsubscribe(packet, this.#client);
        break;
      case 'disconnect':
        this.#willDue = packet.reasonCode === DISCONNECT_WITH_WILL;
        this.#closing = true;
        this.#options.socket.end();
        break;
      default:
        this.end(REASONS.protocolError(`${packet.cmd.toUpperCase()} has no place here`));
    }
  }

  #connect(packet: IConnectPacket): void {
    const judged = judge(packet, this.#options.handshake);
    const refusal = 'code' in judged ? judged : this.#options.admit(judged, this);
    if ('code' in judged || refusal !== undefined) {
      this.#connack(packet, refusal!);
      this.#closing = true;
      this.#options.socket.end();
      this.#options.metrics.refused('connection');
      return;
    }
    this.#client = judged;
    this.#accept(judged);
    this.#timer.cancel();
    this.#watch();
  }

  #connack({ protocolVersion }: IConnectPacket, { code, returnCode, text }: Reason): void {
    const packet: Packet = { cmd: 'connack', sessionPresent: false };
    const isV5 = protocolVersion === 5;
    const refusal = isV5 ? { reasonCode: code, properties: { reasonString: text } } : { returnCode };
    this.#options.socket.write(generate({ ...packet, ...refusal }, { protocolVersion: isV5 ? 5 : 4 }));
  }

  #accept({ version, id, assigned, keepAliveSeconds }: Client): void {
    if (version === 4) {
      this.#send({ cmd: 'connack', returnCode: 0, sessionPresent: false });
      return;
    }
    const { payloadBytesMax } = this.#options.limits;
    this.#send({
      cmd: 'connack',
      reasonCode: 0,
      sessionPresent: false,
      properties: {
        sessionExpiryInterval: 0,
        maximumQoS: 1,
        retainAvailable: false,
        maximumPacketSize: payloadBytesMax + ENVELOPE_BYTES_MAX,
        topicAliasMaximum: 0,
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: false,
        serverKeepAlive: keepAliveSeconds,
        ...(assigned && { assignedClientIdentifier: id }),
      },
    });
  }

  #publish(packet: IPublishPacket, client: Client): void {
    const { limits } = this.#options;
    if (packet.qos === 2) return this.#refuse(REASONS.qos2);
    if (packet.retain) return this.#refuse(REASONS.retain);
    if (packet.properties?.topicAlias !== undefined) return this.#refuse(REASONS.topicAlias);
    const payload = Buffer.from(packet.payload as Buffer);
    if (payload.length > limits.payloadBytesMax)
      return this.#refuse(REASONS.tooLarge(limits.payloadBytesMax));
    const messageId = packet.qos === 1 ? packet.messageId : undefined;
    this.#pending.push({ topic: packet.topic, clientId: client.id, payload, messageId });
    this.#pendingBytes += payload.length;
  }

  /** Q3. */
  #flow(): void {
    const { socket, limits } = this.#options;
    const full =
      this.#pendingBytes >= limits.pendingBytesMax || this.#pending.length >= limits.pendingMessagesMax;
    if (full) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  /** Q1, Q2. */
  async #pump(): Promise<void> {
    const { publisher, metrics } = this.#options;
    while (this.#pending.length > 0) {
      const batch = this.#nextBatch();
      const outcomes = await publisher.publish(batch);
      for (const [at, message] of batch.entries()) {
        const reason = outcomes[at];
        this.#pendingBytes -= message.payload.length;
        if (reason === undefined) metrics.stored(message.payload.length);
        else metrics.refused('message');
        if (!this.#answer(message, reason)) break;
      }
      this.#flow();
    }
    this.#pumping = undefined;
  }

  #nextBatch(): Arrived[] {
    const { batchMessagesMax, batchBytesMax } = this.#options.limits;
    let [count, bytes] = [0, 0];
    while (count < this.#pending.length && count < batchMessagesMax) {
      bytes += this.#pending[count]!.payload.length;
      if (count > 0 && bytes > batchBytesMax) break;
      count++;
    }
    return this.#pending.splice(0, count);
  }

  /** False when the connection ends by it. */
  #answer({ messageId }: Arrived, reason: Reason | undefined): boolean {
    // At QoS 0 nobody waits for an answer; the metric has it.
    if (messageId === undefined) return true;
    if (this.#client?.version === 5) {
      this.#send({ cmd: 'puback', messageId, reasonCode: reason?.code ?? 0 }, reason?.text);
    } else if (reason !== undefined) {
      this.#drop();
      this.end(reason);
      return false;
    } else this.#send({ cmd: 'puback', messageId });
    return true;
  }

  #subscribe({ messageId, subscriptions }: ISubscribePacket, { version }: Client): void {
    if (subscriptions.length > this.#options.limits.subscriptionsMax)
      return this.end(REASONS.protocolError('too many subscriptions in one packet'));
    const { code, text } = REASONS.subscribe;
    const granted = subscriptions.map(() => (version === 5 ? code : SUBACK_FAILURE_V3));
    this.#send({ cmd: 'suback', messageId: messageId!, granted }, text);
  }

  #unsubscribe({ messageId, unsubscriptions }: IUnsubscribePacket, { version }: Client): void {
    if (unsubscriptions.length > this.#options.limits.subscriptionsMax)
      return this.end(REASONS.protocolError('too many topics in one packet'));
    const granted = version === 5 ? unsubscriptions.map(() => NO_SUBSCRIPTION_EXISTED) : [];
    this.#send({ cmd: 'unsuback', messageId: messageId!, granted });
  }

  /** A message, or all that came so far of one, that can't be taken: the connection ends. */
  #refuse(reason: Reason): void {
    this.#options.metrics.refused('message');
    this.end(reason);
  }

  #malformed(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (this.#client === undefined) this.#options.socket.destroy();
    else this.end(REASONS.malformed(problem));
  }

  /** A packet to the client; the words are left out where they may not be sent or make it too large. */
  #send(packet: Packet, text?: string): void {
    const { socket } = this.#options;
    const client = this.#client;
    if (!socket.writable || client === undefined) return;
    const options = { protocolVersion: client.version };
    const inWords = client.version === 5 && text !== undefined;
    if (inWords && (client.wantsReasons || packet.cmd === 'disconnect')) {
      const bytes = generate({ ...packet, properties: { reasonString: text } } as Packet, options);
      if (bytes.length <= client.packetBytesMax) {
        socket.write(bytes);
        return;
      }
    }
    socket.write(generate(packet, options));
  }

  /** Ends the connection when nothing came for one and a half keep alives (MQTT 5.0, 3.1.2.10). */
  #watch(): void {
    const { clock, socket } = this.#options;
    const seconds = this.#client!.keepAliveSeconds;
    if (seconds === 0) return;
    const silentMs = clock.monotonicMs() - this.#lastMs;
    // While it isn't read, its silence is ours.
    if (socket.isPaused()) this.#lastMs = clock.monotonicMs();
    else if (silentMs >= seconds * 1500) return this.end(REASONS.keepAlive);
    this.#timer = clock.timer(Math.max(1, seconds * 1500 - silentMs), () => this.#watch());
  }

  /** What has no answer is the client's to send again. */
  #drop(): void {
    for (const { payload } of this.#pending) this.#pendingBytes -= payload.length;
    this.#pending = [];
  }

  async #closed(): Promise<void> {
    this.#closing = true;
    this.#timer.cancel();
    this.#options.onEnd(this);
    await this.#pumping;
    const client = this.#client;
    if (client?.will !== undefined && this.#willDue) {
      const [reason] = await this.#options.publisher.publish([{ ...client.will, clientId: client.id }]);
      if (reason === undefined) this.#options.metrics.stored(client.will.payload.length);
      else this.#options.metrics.refused('message');
    }
    this.#ended.resolve();
  }
}
