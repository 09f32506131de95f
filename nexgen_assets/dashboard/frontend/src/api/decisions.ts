/** What people decide on orders. After each, everything about orders is read anew. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "~/api/client";

export type OrderLine = Schemas["OrderLine"];
export type Action = "accept" | "approve";

/** What a decision says of a line: which one, and the state of it that was on the screen. */
function seenOf({ day, product_id, location, seen }: OrderLine): Schemas["LineSeen"] {
  return { day, product_id, location, seen };
}

/** The same, and which proposal was on the screen: for decisions that take the proposal up. */
export function proposalSeenOf(line: OrderLine): Schemas["ProposalSeen"] {
  return { ...seenOf(line), revision: line.revision ?? "" };
}

export const keyOf = (line: { product_id: string; location: string }) =>
  `${line.product_id} at ${line.location}`;

const OPEN = ["proposed", "accepted", "changed", "review again"];

/** Whether the action leads on from where the line stands; the server decides in the end. */
export function isPossible(action: Action | "change" | "cancel", line: OrderLine): boolean {
  if (action === "approve") return line.standing === "accepted" || line.standing === "changed";
  if (action === "cancel") return line.standing === "approved" || line.standing === "exported";
  if (line.proposed_units === null) return false;
  return action === "accept"
    ? OPEN.includes(line.standing) && line.standing !== "accepted"
    : OPEN.includes(line.standing);
}

function useDecision<Body, Result>(send: (body: Body) => Promise<Result>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ["exports"] });
      return client.invalidateQueries({ queryKey: ["orders"] });
    },
  });
}

export const useDecide = () =>
  useDecision(({ action, lines }: { action: Action; lines: OrderLine[] }) =>
    action === "accept"
      ? read(api.POST("/api/decisions/accept", { body: { lines: lines.map(proposalSeenOf) } }))
      : read(api.POST("/api/decisions/approve", { body: { lines: lines.map(seenOf) } })),
  );

export const useChange = () =>
  useDecision((body: Schemas["Change"]) => read(api.POST("/api/decisions/change", { body })));

export const useCancel = () =>
  useDecision(({ line, reason }: { line: OrderLine; reason: string }) =>
    read(api.POST("/api/decisions/cancel", { body: { lines: [seenOf(line)], reason } })),
  );

export const useExport = () =>
  useDecision((body: Schemas["NewExport"]) => read(api.POST("/api/exports", { body })));
