/** What every answer carries: nothing is kept, nothing is framed, and nothing else is loaded. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
};

const TYPES = {
  html: 'text/html; charset=utf-8',
  json: 'application/json; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  text: 'text/plain; charset=utf-8',
};

/** An answer before it is known whether the reader has it already. */
export interface Answer {
  status: number;
  type: keyof typeof TYPES;
  body: string;
  /** What the body is made of, where that says sooner whether it has changed. */
  version?: string;
  headers?: Record<string, string>;
}

export function answerText(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): Answer {
  return { status, type: 'text', body: `${body}\n`, headers };
}

/** Makes the response: without a body for HEAD, and for who has this version already. */
export async function toResponse(request: Request, answer: Answer): Promise<Response> {
  const { status, type, body, version = body } = answer;
  const headers = new Headers({ ...HEADERS, 'content-type': TYPES[type], ...answer.headers });
  if (status === 200) {
    const etag = `"${await digest(version)}"`;
    headers.set('etag', etag);
    const known = request.headers.get('if-none-match')?.split(/\s*,\s*/) ?? [];
    if (known.some((tag) => tag.replace(/^W\//, '') === etag)) {
      return new Response(null, { status: 304, headers });
    }
  }
  return new Response(request.method === 'HEAD' ? null : body, { status, headers });
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  const hex = Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0'));
  return hex.join('').slice(0, 32);
}
