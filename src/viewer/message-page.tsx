import type { VNode } from 'preact';
import { Layout } from './layout.js';
import type { Site } from './viewer.js';

const HEADINGS: Record<number, string> = { 400: 'That makes no sense', 404: 'Not found' };

/** Says why there is nothing to show. */
export function MessagePage({
  site,
  status,
  message,
}: {
  site: Site;
  status: number;
  message: string;
}): VNode {
  const heading = HEADINGS[status] ?? 'Something went wrong';
  return (
    <Layout site={site} name={heading}>
      <h1>{heading}</h1>
      <p>{message}</p>
      <p>
        <a href={site.addresses.list()}>All runs</a>
      </p>
    </Layout>
  );
}
