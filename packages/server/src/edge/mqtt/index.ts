export { createMqttListener, type MqttListener, type MqttOptions } from './listener.ts';
export { problemOfRoutes, type Route as MqttRoute } from './routes.ts';
