// The server's answers. Every call is to this page's own host.

export class ApiError extends Error {
  constructor(message, code, status, retryAfter = null) {
    super(message);
    Object.assign(this, { code, status, retryAfter });
  }

  /** True where the server is only busy, and says so. */
  get isBusy() {
    return this.status === 503 || this.status === 429;
  }
}

const BY_ID = 50; // ids of a request: they stand in its address, which has a greatest length
const UNREACHABLE = "The server does not answer. Look whether serve-videos still runs, then try again.";

function withParams(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) value.forEach((one) => query.append(name, one));
    else if (value !== null && value !== undefined && value !== "" && value !== false) query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE, "unreachable", 0);
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw errorOf(found, answer.status);
  return found;
}

function errorOf(found, status, retryAfter = null) {
  const told = found?.error;
  const words = told?.message ?? `The server answered with status ${status}.`;
  return new ApiError(words, told?.code ?? "unknown", status, retryAfter);
}

const post = (path, body, options = {}) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

export const api = {
  status: () => call("/api/status"),
  videos: (params, options) => call(withParams("/api/videos", params), options),
  videosOf: async (ids, options) => {
    const parts = Array.from({ length: Math.ceil(ids.length / BY_ID) }, (_, part) => ids.slice(part * BY_ID, (part + 1) * BY_ID));
    const answers = await Promise.all(parts.map((part) => call(withParams("/api/videos", { ids: part, limit: BY_ID }), options)));
    return answers.flatMap((answer) => answer.videos);
  },
  video: (id) => call(withParams("/api/video", { id })),
  similar: (id, at_s, count = 12) => call(withParams("/api/video/similar", { id, at_s, count })),
  search: (terms, more = {}) => post("/api/search", { terms, ...more }),
  correct: (changes) => post("/api/corrections", { changes }),
  undo: (batch) => post("/api/corrections/undo", { batch }),
  corrections: () => call("/api/corrections"),
  map: () => call("/api/map"),
  card: () => call("/api/card"),
  cancel: (job) => call(`/api/jobs/${encodeURIComponent(job)}`, { method: "DELETE" }),
};

export const frameUrl = (id, at_s, width) =>
  withParams("/api/video/frame", { id, at_s: Math.max(0, at_s).toFixed(2), width });
export const fileUrl = (id) => withParams("/api/video/file", { id });

/**
 * Send one file and follow its job until it ends.
 *
 * @param onProgress called with the share of the upload in 0..1.
 * @param onSnapshot called with the job's snapshots, as GET /api/jobs/{job} answers.
 * @param signal aborts the upload, and then the job.
 */
export async function predict(file, { onProgress, onSnapshot, signal }) {
  const { job } = await send(file, onProgress, signal);
  const stop = () => api.cancel(job).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await follow(job, onSnapshot, signal);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function send(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch() does not tell how much it has sent
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", "/api/predict?wait=false");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(errorOf(request.response, request.status, Number(request.getResponseHeader("Retry-After"))));
    request.onerror = () => reject(new ApiError(UNREACHABLE, "unreachable", 0));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

const ENDS = new Set(["done", "failed", "cancelled"]);

function follow(job, onSnapshot, signal) {
  const path = `/api/jobs/${encodeURIComponent(job)}`;
  return new Promise((resolve, reject) => {
    const events = new EventSource(`${path}/events`);
    const close = (finish, value) => (events.close(), finish(value));
    const take = (snapshot) => {
      onSnapshot(snapshot);
      if (ENDS.has(snapshot.state)) close(resolve, snapshot);
    };
    signal.addEventListener("abort", () => close(reject, new DOMException("stopped", "AbortError")), { once: true });
    events.onmessage = (event) => take(JSON.parse(event.data));
    events.onerror = () => {
      // The browser tries again by itself unless the server has closed for good: then one look tells how it ended.
      if (events.readyState === EventSource.CLOSED) call(path).then(take, (error) => close(reject, error));
    };
  });
}
