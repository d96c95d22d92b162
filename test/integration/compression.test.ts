/** Source topics as a Java producer compresses them, with an aborted transaction in between. */
import { afterEach, expect, test } from 'vitest';
import { type Deployment, deploy, event, READERS } from '../support/deployment.ts';
import { produceJava, readAll } from '../support/java.ts';
import { sharedBroker } from '../support/shared.ts';

const { brokers } = sharedBroker();
let d: Deployment;
afterEach(() => d?.close());
