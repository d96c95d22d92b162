export function registerCompression(): void {}
