/**
 * What an operator sets and watches: log, metrics, probes, shutdown. One notice becomes the log line and the
 * metric in one place (`createObserver`). Refuses to show a foreign error's message, any `cause`, and labels
 * that grow with what the events hold.
 */
export { type LoadedConfig, loadConfig } from './config.ts';
export { createHealth, type Health } from './health.ts';
export { type HttpServer, openHttp } from './http.ts';
export { createLog, type Log, type ShownError, showError } from './log.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { createObserver } from './observer.ts';
export { installShutdown, type Shutdown } from './shutdown.ts';
export { VERSION } from './version.ts';
