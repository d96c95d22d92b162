/** Numbers by exact value, however they are spelled (RFC 8259 section 6): 1 equals 1.0 and 10e-1. */

const ZERO = 0x30;
const NINE = 0x39;

/**
 * The one spelling of a decimal number: sign, digits without outer zeros, and the power of ten.
 * @param text a number as JSON spells it
 */
export function canonicalNumber(text: string): string {
  const e = Math.max(text.indexOf('e'), text.indexOf('E'));
  const mantissa = e === -1 ? text : text.slice(0, e);
  const negative = mantissa.startsWith('-');
  let digits = '';
  let scale = 0;
  let point = false;
  for (let i = 0; i < mantissa.length; i += 1) {
    const c = mantissa.charCodeAt(i);
    if (c < ZERO || c > NINE) {
      point ||= mantissa[i] === '.';
      continue;
    }
    digits += mantissa[i];
    if (point) scale += 1;
  }
  let first = 0;
  while (digits.charCodeAt(first) === ZERO) first += 1;
  let last = digits.length;
  while (last > first && digits.charCodeAt(last - 1) === ZERO) last -= 1;
  if (first === last) return '0';
  // An exponent has any number of digits, so it is not a double's business.
  const exponent =
    BigInt(e === -1 ? 0 : text.slice(e + 1).replace('+', '')) - BigInt(scale - (digits.length - last));
  return `${negative ? '-' : ''}${digits.slice(first, last)}e${exponent}`;
}

/** A test whether a JSON number, as spelled, has exactly the value of `wanted`, a finite double. */
export function equalsNumber(wanted: number): (text: string) => boolean {
  const spelled = String(wanted);
  const canonical = canonicalNumber(spelled);
  // Only a number that reads as the same double can have the same value; few need to be taken apart.
  return (text) => text === spelled || (Number(text) === wanted && canonicalNumber(text) === canonical);
}
