/** A random UUID (version 4, RFC 9562), also in pages that are not served securely, where `crypto.randomUUID` is missing. */
export function generateUuid(): string {
  // Read once, since it is a getter in Node.
  const source = crypto;
  if (source.randomUUID) return source.randomUUID();
  const random = source.getRandomValues(new Uint8Array(36));
  // The 4 tells the version, and the top bits of the 8 the variant.
  return '00000000-0000-4000-8000-000000000000'.replace(/[08]/g, (digit, at) =>
    (Number(digit) | ((random[at] as number) & (digit === '8' ? 3 : 15))).toString(16),
  );
}
