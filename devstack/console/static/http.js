// Calls: to the API, as a front end makes them from another origin, and to the console's own server.

export const api = document.querySelector('meta[name="api"]').content;

/**
 * Call the API.
 * Returns {status, body, retryAfter, milliseconds, request}; status 0 where no answer came. Never throws, but for a
 * call that was given up by `signal`.
 */
async function call(method, path, { body, key, signal } = {}) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const request = { method, url: api + path, headers, body };
  const began = performance.now();
  try {
    const response = await fetch(request.url, { method, headers, body: body && JSON.stringify(body), signal });
    const answer = await response.json();
    const seconds = Number(response.headers.get("Retry-After"));
    return {
      status: response.status,
      type: response.headers.get("Content-Type"),
      body: answer,
      retryAfter: Number.isFinite(seconds) ? seconds : 0,
      milliseconds: performance.now() - began,
      request,
    };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { status: 0, body: {}, retryAfter: 0, milliseconds: performance.now() - began, request };
  }
}

export const quote = (storage, signal) => call("GET", `/billing/quote?storage=${encodeURIComponent(storage)}`, { signal });
export const charge = (body, key) => call("POST", "/billing", { body, key });
export const lookUp = (paymentId) => call("GET", `/billing/${encodeURIComponent(paymentId)}`);

/** Ask the console's server for something, or have it do something. Throws an Error with its sentence. */
export async function ask(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, body ? post : {});
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}
