/** Files that people upload: sending them with a progress that is seen, and what became of them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, api, read, type Schemas } from "~/api/client";

export type Upload = Schemas["UploadAnswer"];
export type UploadDetail = Schemas["UploadDetail"];
export type Report = Schemas["Report"];
export type Outcome = Schemas["UploadOutcome"];
export type Kind = Schemas["Kind"];

const SECOND = 1_000;
const UPLOADS = ["uploads"];
const MOVING: readonly Upload["state"][] = ["received", "committed", "queued", "running"];

export const isMoving = (upload: Upload) => MOVING.includes(upload.state);

export const useUploads = () =>
  useQuery({
    queryKey: [...UPLOADS, "list"],
    queryFn: ({ signal }) => read(api.GET("/api/uploads", { signal })),
    refetchInterval: (query) => (query.state.data?.uploads.some(isMoving) ? 4 : 60) * SECOND,
  });

export const useUpload = (upload_id: string) =>
  useQuery({
    queryKey: [...UPLOADS, "one", upload_id],
    queryFn: ({ signal }) =>
      read(api.GET("/api/uploads/{upload_id}", { params: { path: { upload_id } }, signal })),
    staleTime: 0,
    refetchInterval: (query) => {
      const found = query.state.data;
      if (!found || !isMoving(found)) return false;
      return (found.state === "received" ? 1 : 4) * SECOND;
    },
  });

/** The list asks again as soon as the upload that is looked at has come further. */
export function useListFollows(state: Upload["state"] | undefined) {
  const client = useQueryClient();
  useEffect(() => {
    if (state) client.invalidateQueries({ queryKey: [...UPLOADS, "list"] });
  }, [client, state]);
}

function useChange<Said, Result>(send: (said: Said) => Promise<Result>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSettled: () => client.invalidateQueries({ queryKey: UPLOADS }),
  });
}

export const useCommit = (upload_id: string) =>
  useChange((if_present: Schemas["Commit"]["if_present"]) =>
    read(
      api.POST("/api/uploads/{upload_id}/commit", { params: { path: { upload_id } }, body: { if_present } }),
    ),
  );

export const useCheckAgain = (upload_id: string) =>
  useChange(() => read(api.POST("/api/uploads/{upload_id}/check", { params: { path: { upload_id } } })));

export const useDiscard = (upload_id: string) =>
  useChange(() => read(api.DELETE("/api/uploads/{upload_id}", { params: { path: { upload_id } } })));

interface Sent {
  kind: Kind;
  file: File;
  /** Told the share that is on its way, 0 to 1. */
  onShare: (share: number) => void;
  signal: AbortSignal;
}

export const useSend = () => useChange(sendFile);

/** `fetch` does not tell how far it is. */
function sendFile({ kind, file, onShare, signal }: Sent): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads?${new URLSearchParams({ kind, name: file.name })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => onShare(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else
        reject(
          new ApiError(request.status, request.response?.detail ?? `The server answered ${request.status}.`),
        );
    };
    request.onerror = () =>
      reject(new ApiError(0, "The transfer broke off. Is the file still there, and the server?"));
    request.onabort = () => reject(new ApiError(0, "The transfer was stopped. Nothing was kept."));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
