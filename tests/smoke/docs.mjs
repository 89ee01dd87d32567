// The page at /docs in a browser, as somebody who reads it and tries a call with the keyboard alone.
// Prints a line for each step; the first that is not as it should be ends it with exit code 1.
// With a file to write to, leaves a picture of the page in it.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [target, key, modules, picture] = process.argv.slice(2);
assert(modules, "usage: docs.mjs HOST:PORT KEY NODE_MODULES [PICTURE]");
const { chromium } = createRequire(resolve(modules, "package.json"))("playwright-core");

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const profile = await mkdtemp(join(tmpdir(), "docs-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ARGUMENTS,
  headless: true,
  colorScheme: "light",
  reducedMotion: "reduce",
  viewport: { width: 1280, height: 900 },
});
try {
  await tell(await browser.newPage());
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}

async function tell(page) {
  page.setDefaultTimeout(20_000);
  const complaints = [];
  const foreign = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== target) {
      foreign.push(request.url());
    }
  });

  await step("the page shows every operation", async () => {
    await page.goto(`http://${target}/docs`);
    await page.locator("#LeadService_ListLeads").waitFor();
    const { paths } = await (await fetch(`http://${target}/openapi.json`)).json();
    const described = Object.values(paths).flatMap((verbs) => Object.values(verbs));
    const shown = await page.locator(".operation").evaluateAll((all) => all.map(({ id }) => id));
    assert.deepEqual(shown.toSorted(), described.map(({ operationId }) => operationId).toSorted());
    assert(shown.length > 20, `${shown.length} operations`);
  });

  await step("fields open to the fields within, and errors to examples", async () => {
    const operation = page.locator("#LeadService_CreateLead .reference");
    await operation.getByText("Fields of Lead", { exact: true }).click();
    await operation.getByText("Fields of Address", { exact: true }).click();
    await operation.getByText("The postal code, as it is written").waitFor();
    await operation.getByText("INVALID_ARGUMENT", { exact: true }).click();
    await operation.getByText('"fieldViolations"').waitFor();
  });

  const attempt = page.getByRole("form", { name: "Try List leads", exact: true });

  await step("an operation is found with the keyboard", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("list leads");
    await page.keyboard.press("Enter");
    await page.waitForURL(/#LeadService_ListLeads$/);
    await page.getByLabel("Find an operation").clear();
  });

  await step("a call without a key is refused, and says so", async () => {
    await attempt.getByRole("button", { name: "Send" }).press("Enter");
    await attempt.getByText("401 Unauthorized").waitFor();
    // What the browser itself says of an answer that was asked for.
    const [complaint, ...others] = complaints.splice(0);
    assert.match(complaint, /status of 401/);
    assert.deepEqual(others, []);
  });

  await step("the demo's key and the prefilled body list the leads of cmp_001", async () => {
    await page.getByLabel("API key").fill(key);
    const body = attempt.getByLabel("Body", { exact: true });
    assert.equal(JSON.parse(await body.inputValue()).companyId, "cmp_001");
    await body.press("Control+Enter");
    await attempt.getByText("200 OK").waitFor();
    const answer = JSON.parse(await attempt.getByLabel("The body of the answer").innerText());
    const lead = answer.leads.find(({ id }) => id === "lcus_001");
    assert.equal(lead.firstName, "John");
    assert.match(await attempt.locator(".answer").innerText(), /\d+ ms[\s\S]*x-request-id \S+/);
  });

  await step("the curl line has the body, and $KEY for the key", async () => {
    const line = await attempt.getByLabel("The same call with curl").innerText();
    assert(line.startsWith(`curl 'http://${target}/v1/leads:list'`), line);
    assert.match(line, /Bearer \$KEY"/);
    assert.match(line, /-d '\{"companyId":"cmp_001",/);
    assert(!line.includes(key), line);
  });

  if (picture) {
    await step("the picture is taken", async () => {
      await page.evaluate(() => document.activeElement.blur());
      await page.locator("#LeadService_ListLeads").locator("h3").evaluate((title) => title.scrollIntoView());
      await page.screenshot({ path: picture });
    });
  }

  await step("the key stays in this tab", async () => {
    const stored = await page.evaluate(() => [localStorage.length, document.cookie, Object.values(sessionStorage)]);
    assert.deepEqual(stored, [0, "", [key]]);
    await page.reload();
    await page.locator("#LeadService_ListLeads").waitFor();
    assert.equal(await page.getByLabel("API key").inputValue(), key);
  });

  await step("nothing is wider than a small window", async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    const [needed, given] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert(needed <= given, `${needed} > ${given}`);
  });

  await step("nothing was asked of another host, and the console is silent", () => {
    assert.deepEqual(foreign, []);
    assert.deepEqual(complaints, []);
  });
}

async function step(sentence, check) {
  try {
    await check();
  } catch (error) {
    console.error(`FAILED  ${sentence}`);
    throw error;
  }
  console.log(`ok      ${sentence}`);
}
