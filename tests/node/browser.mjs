// A browser that Python tests drive: one JSON command per line in, one answer per line out.
//
//   {"op": "open", "url": ..., "width": ..., "height": ..., "scheme": "dark"}
//   {"op": "eval", "code": "..."}    what the function body returns (it may be asynchronous)
//   {"op": "until", "code": "...", "ms": 15000}    waits until it is true
//   {"op": "click" | "press" | "fill", "selector": ..., "key": ..., "text": ...}
//   {"op": "size", "width": ..., "height": ...}, {"op": "shot", "path": ..., "whole": true}
//
// Answers: {"ok": true, "value": ...} or {"ok": false, "error": "..."}; `value` of "faults" is what
// the console and the page complained of since the last time.

import readline from 'node:readline';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
});
let page = null;
let faults = [];

async function open({ url, width = 1360, height = 1000, scheme = 'light' }) {
  await page?.context().close();
  faults = [];
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) faults.push(m.text()); });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (r) => { if (!r.url().startsWith(new URL(url).origin)) faults.push(`asks ${r.url()}`); });
  await page.goto(url);
}

const inPage = (code) => `(async () => { ${code} })()`;

// Not page.waitForFunction: it evaluates inside the page, which the page's own policy forbids.
async function until({ code, ms = 15000 }) {
  for (const end = Date.now() + ms; Date.now() < end;) {
    if (await page.evaluate(inPage(code))) return true;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`not so after ${ms} ms; the page complained of ${JSON.stringify(faults)}`);
}

const operations = {
  open,
  eval: ({ code }) => page.evaluate(inPage(code)),
  until,
  click: ({ selector }) => page.click(selector),
  fill: ({ selector, text }) => page.fill(selector, text),
  select: ({ selector, value }) => page.selectOption(selector, value),
  press: ({ key }) => page.keyboard.press(key),
  focus: ({ selector }) => page.focus(selector),
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  shot: ({ path, whole = false }) => page.screenshot({ path, fullPage: whole }).then(() => path),
  faults: () => faults.splice(0),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    const command = JSON.parse(line);
    answer = { ok: true, value: (await operations[command.op](command)) ?? null };
  } catch (error) {
    answer = { ok: false, error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
