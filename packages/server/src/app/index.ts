export { start, type RunningServer, type StartOptions } from './server.ts';
export { AppError, type AppErrorCode } from './errors.ts';
