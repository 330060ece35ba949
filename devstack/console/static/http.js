// Requests to the API, as a front end on another origin sends them, and to the console's own server.

const api = document.querySelector('meta[name="api"]').content;

/**
 * Call the API. Returns {status, type, body, retryAfter, milliseconds, request}; status 0 if there was no response.
 * Throws only if `signal` aborted the request.
 */
async function call(method, path, { body, key, signal } = {}) {
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(key && { "Idempotency-Key": key }) };
  const request = { method, url: api + path, headers, body };
  const began = performance.now();
  const result = { status: 0, body: {}, retryAfter: 0, request };
  try {
    const response = await fetch(request.url, { method, headers, body: body && JSON.stringify(body), signal });
    result.body = await response.json();
    result.status = response.status;
    result.type = response.headers.get("Content-Type");
    result.retryAfter = Number(response.headers.get("Retry-After")) || 0;
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  return { ...result, milliseconds: performance.now() - began };
}

export const fetchQuote = (storage, signal) => call("GET", `/billing/quote?storage=${encodeURIComponent(storage)}`, { signal });
export const charge = (body, key) => call("POST", "/billing", { body, key });
export const fetchPayment = (paymentId) => call("GET", `/billing/${encodeURIComponent(paymentId)}`);

/** Call the console's server: POST if there is a body, else GET. Throws an Error with the server's message. */
export async function callConsole(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, body ? post : {});
  const result = await response.json();
  if (!response.ok) throw new Error(result.detail);
  return result;
}
