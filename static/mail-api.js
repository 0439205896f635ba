// The JSON API, as pages use it: with the session's cookie and the form token of the page.

export class Problem extends Error {
  constructor(document, status) {
    super(document?.detail ?? "The service did not answer as it should.");
    this.hint = document?.hint ?? "";
    this.status = status;
  }
}

// crypto.randomUUID is not there on plain http, which loopback proxies and tests use.
function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const patience = 15000; // milliseconds

export class Api {
  constructor(account, token) {
    this.base = `/api/v1/accounts/${account}`;
    this.token = token;
  }

  async call(method, path, body) {
    const headers = { Accept: "application/json" };
    if (method !== "GET") {
      headers["X-CSRF-Token"] = this.token;
      headers["Idempotency-Key"] = freshKey();
      headers["Content-Type"] = "application/json";
    }
    let answer;
    try {
      answer = await this.send(this.base + path, method, headers, body);
    } catch {
      throw new Problem({ detail: "This service cannot be reached.", hint: "Nothing was changed." });
    }
    const document = await answer.json().catch(() => null);
    if (!answer.ok) throw new Problem(document, answer.status);
    return document;
  }

  // A lost connection is tried once more: the key keeps a thing from being done twice. While the
  // first try is still at work the answer is to come again.
  async send(url, method, headers, body) {
    const ask = () =>
      fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        signal: AbortSignal.timeout(patience),
      });
    try {
      return await ask();
    } catch (error) {
      if (error.name === "TimeoutError" || !navigator.onLine) throw error;
    }
    let answer = await ask();
    for (let tries = 0; answer.headers.has("Retry-After") && answer.status === 409 && tries < 10; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      answer = await ask();
    }
    return answer;
  }

  act(action) {
    return this.call("POST", "/actions", action);
  }

  undo(operations) {
    return this.call("POST", "/actions/undo", { operations });
  }

  changes(since) {
    return this.call("GET", `/changes?since=${encodeURIComponent(since)}`);
  }
}
