// The gateway's API: requests with the token, and the live tail.

import { byId } from './dom.js';

let token = sessionStorage.getItem('trestle-token') ?? '';

export class Problem extends Error {}

async function request(path, options = {}) {
  for (;;) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(`/api/v1/${path}`, { ...options, headers });
    if (answer.status !== 401) return answer;
    await askToken(token !== '');
  }
}

let asking = null;

/** One dialog, however many requests wait for it. */
function askToken(wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = byId('token-dialog');
    byId('token-fault').textContent = wasWrong ? 'That was not it.' : '';
    byId('token').value = '';
    dialog.addEventListener('close', () => {
      token = byId('token').value;
      sessionStorage.setItem('trestle-token', token);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/** The answer as an object; a Problem with a sentence when it is none. */
export async function call(path, options) {
  const answer = await request(path, options);
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(problem.detail ?? `The gateway answers ${answer.status}.`);
}

export const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined)).toString();

/**
 * Follows the messages that match a filter until the returned function is called.
 * EventSource cannot carry a token, so the stream is read by hand.
 */
export function tail(filter, rate, { message, status, fault }) {
  const abort = new AbortController();
  const follow = async () => {
    const answer = await request(`tail?${query({ filter, rate })}`, { signal: abort.signal });
    if (!answer.ok) throw new Problem((await answer.json()).detail);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Problem('The stream has ended.');
      text += value;
      const events = text.split('\n\n');
      text = events.pop();
      for (const event of events) {
        const [name, data] = event.split('\ndata: ');
        (name === 'event: message' ? message : status)?.(JSON.parse(data));
      }
    }
  };
  follow().catch((problem) => {
    if (!abort.signal.aborted) fault?.(problem.message);
  });
  return () => abort.abort();
}
