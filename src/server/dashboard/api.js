// The gateway's API: requests with the token, pages of lists, and the live tail.

import { byId } from './dom.js';

const PATIENCE_MS = 10000;  // with one request
const MOST_ASKS = 40;  // of short pages, for one that is full
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 16000;  // before a tail that broke is followed again

let token = sessionStorage.getItem('trestle-token') ?? '';

/** What went wrong, as a sentence; `status` is 0 when there was no answer. */
export class Problem extends Error {
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

/** Headers hold bytes, a character for each: the token goes as its UTF-8. */
const credentials = () => `Bearer ${String.fromCharCode(...new TextEncoder().encode(token))}`;

async function request(path, { signal = null, ...options } = {}) {
  for (;;) {
    const headers = token ? { Authorization: credentials() } : {};
    const answer = await fetch(`/api/v1/${path}`,
      { ...options, headers, signal: signal ?? AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
      throw new Problem('The gateway does not answer.');
    });
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
  const answer = await accepted(await request(path, options));
  return answer.status === 204 ? null : answer.json();
}

async function accepted(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(problem.detail ?? `The gateway answers ${answer.status}.`, answer.status);
}

export const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined)).toString();

/**
 * One full page of a list: a search among very many comes in short pieces. `next` is null at the
 * end; otherwise not all was looked at.
 */
export async function page(path, { after = null, ...parameters }, size) {
  const items = [];
  for (let asks = 0; asks < MOST_ASKS && items.length < size; ++asks) {
    const part = await call(`${path}?${query({ ...parameters, after, limit: size - items.length })}`);
    items.push(...part.items);
    after = part.next;
    if (after === null) break;
  }
  return { items, next: after };
}

/**
 * Follows the messages that match a filter until the returned function is called; again, with
 * growing pauses, when the stream breaks. EventSource cannot carry a token, so it is read by hand.
 */
export function tail(filter, rate, { message, status, fault }) {
  const abort = new AbortController();
  let pause = FIRST_PAUSE_MS;
  const follow = async () => {
    const answer = await accepted(await request(`tail?${query({ filter, rate })}`, { signal: abort.signal }));
    pause = FIRST_PAUSE_MS;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split('\n\n');
      text = events.pop();
      for (const event of events) {
        const [name, data] = event.split('\ndata: ');
        (name === 'event: message' ? message : status)?.(JSON.parse(data));
      }
    }
  };
  const keepFollowing = async () => {
    for (;;) {
      const problem = await follow().then(() => null, (fault_) => fault_);
      if (abort.signal.aborted) return;
      const what = problem instanceof Problem ? problem.message : 'The stream has ended.';
      const isFinal = problem?.status >= 400 && problem.status < 500;  // the request itself is wrong
      fault(isFinal ? what : `${what} Trying again in ${pause / 1000} s.`);
      if (isFinal) return;
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      if (abort.signal.aborted) return;
      pause = Math.min(LONGEST_PAUSE_MS, 2 * pause);
    }
  };
  keepFollowing();
  return () => abort.abort();
}
