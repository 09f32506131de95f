/** Users, tokens and the audit log: what admins ask and change, and everybody of their own account. */
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { api, read, type Schemas } from "~/api/client";

type Signal = { signal: AbortSignal };
export type User = Schemas["UserAnswer"];
export type Token = Schemas["TokenAnswer"];
export type Role = Schemas["Role"];

/** Each role may do what those before it may. */
export const ROLES: readonly (readonly [role: Role, may: string])[] = [
  ["viewer", "reads everything"],
  ["store", "reads, uploads"],
  ["planner", "also accepts, changes, asks what if"],
  ["approver", "also approves, cancels, exports"],
  ["admin", "also manages users, reads the audit log"],
];

export const rolesUpTo = (role: Role) => ROLES.slice(0, ROLES.findIndex(([name]) => name === role) + 1);

export const useUsers = () =>
  useQuery({
    queryKey: ["users"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/users", { signal })),
  });

export const useMyTokens = () =>
  useQuery({
    queryKey: ["tokens"],
    queryFn: ({ signal }: Signal) => read(api.GET("/api/me/tokens", { signal })),
  });

const ENTRIES = 100;

export const useAudit = (query: { who?: string; what?: string }) =>
  useInfiniteQuery({
    queryKey: ["audit", query],
    queryFn: ({ pageParam, signal }: Signal & { pageParam: number | null }) =>
      read(
        api.GET("/api/audit", {
          params: { query: { ...query, last: ENTRIES, ...(pageParam ? { start: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.older,
    placeholderData: keepPreviousData,
    // somebody looks for what has just been done
    staleTime: 0,
  });

/** A change of people; lists of them are read anew, and who one is oneself. */
function usePeopleChange<Body, Result>(send: (body: Body) => Promise<Result>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSettled: () =>
      Promise.all(["users", "tokens", "me"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

export const useAddUser = () =>
  usePeopleChange((body: Schemas["NewUser"]) => read(api.POST("/api/users", { body })));

export const useChangeUser = () =>
  usePeopleChange(({ name, ...body }: { name: string } & Partial<Schemas["ChangedUser"]>) =>
    read(api.PATCH("/api/users/{name}", { params: { path: { name } }, body })),
  );

export const useMakeToken = () =>
  usePeopleChange((body: Schemas["NewToken"]) => read(api.POST("/api/me/tokens", { body })));

export const useEndToken = () =>
  usePeopleChange((token_id: string) =>
    read(api.DELETE("/api/me/tokens/{token_id}", { params: { path: { token_id } } })),
  );

/** Ends every session, this one too: nothing is read anew. */
export const useChangePassword = () =>
  useMutation({
    mutationFn: (body: Schemas["NewPassword"]) => read(api.POST("/api/me/password", { body })),
  });
