/** A random UUID (version 4, RFC 9562), also in pages that are not served securely, where `crypto.randomUUID` is missing. */
export function generateUuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const random = crypto.getRandomValues(new Uint8Array(36));
  // The 4 tells the version, the 8 the variant.
  return '00000000-0000-4000-8000-000000000000'.replace(/0/g, (_, at) =>
    ((random[at] as number) & 15).toString(16),
  );
}
