/** A random UUID (version 4, RFC 9562), also in pages that are not served securely, where `crypto.randomUUID` is missing. */
export function generateUuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const octets = Array.from(crypto.getRandomValues(new Uint8Array(16)), (random, index) => {
    // Octet 6 carries the version, octet 8 the variant.
    const octet = index === 6 ? (random & 15) | 64 : index === 8 ? (random & 63) | 128 : random;
    return (octet + 256).toString(16).slice(1);
  });
  return octets.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
