/**
 * What an operator sets and watches: log, metrics, probes, shutdown. One notice becomes the log line and the
 * metric in one place (`createObserver`). Refuses to show a foreign error's message, any `cause`, and labels
 * that grow with what the events hold.
 */
export { loadConfig } from './config.ts';
export { createHealth } from './health.ts';
export { type HttpServer, openHttp } from './http.ts';
export { createLog, type Log, showError } from './log.ts';
export { createMetrics } from './metrics.ts';
export { createObserver } from './observer.ts';
export { installShutdown, type Shutdown } from './shutdown.ts';
export { VERSION } from './version.ts';
