/** One typed client for the API. Its types are made from the API's own OpenAPI document (`npm run build`). */
import createClient from "openapi-fetch";
import type { components, paths } from "~/api/schema";

export type Schemas = components["schemas"];

/** An answer that is no success: its HTTP status, and the server's words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Same origin, so the session cookie goes along; lists as repeated parameters, as FastAPI reads them. */
export const api = createClient<paths>({ baseUrl: "", credentials: "same-origin" });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; raises ApiError for any other. */
export async function read<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch {
    throw new ApiError(0, "The server does not answer. Is `nexgen` still running?");
  }
  if (!answer.response.ok) throw new ApiError(answer.response.status, told(answer.error, answer.response));
  return answer.data as T;
}

/** FastAPI's `detail` is a text, or a list of what is wrong with which field. */
function told(error: unknown, response: Response): string {
  const detail = error && typeof error === "object" && "detail" in error ? error.detail : error;
  if (typeof detail === "string" && detail) return detail;
  if (Array.isArray(detail)) {
    return detail.map((one) => `${(one.loc ?? []).slice(1).join(".")}: ${one.msg}`).join("; ");
  }
  return `The server answered ${response.status} ${response.statusText}.`;
}
