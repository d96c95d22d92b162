/** Keeps key objects inside the room: outside, a key is an empty object that only this file can look up. */
import type { KeyObject } from 'node:crypto';
import { ClaimsealError } from '../errors.ts';
import type { Kind } from './kinds.ts';

export interface Material {
  readonly key: KeyObject;
  readonly kind: Kind;
}

const materials = new WeakMap<object, Material>();

/** A token for key material: it has no members, prints as `{}`, and is good for this process only. */
export function hide(material: Material): object {
  const token = Object.freeze({});
  materials.set(token, material);
  return token;
}

/** The material behind a token. Throws `internal` for a token that this room did not make. */
export function reveal(token: object): Material {
  const material = materials.get(token);
  if (material === undefined)
    throw new ClaimsealError('internal', 'key material that parseJwks did not make');
  return material;
}
