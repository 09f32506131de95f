/** Who may log in, and as what: for admins. */
import { useState } from "react";
import { type User, useUsers } from "~/api/people";
import { useMe } from "~/api/queries";
import { Badge, Loaded, Panel } from "~/design/blocks";
import { Button } from "~/design/button";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";
import { AddDialog, PasswordDialog, RoleDialog, StateDialog } from "~/pages/people/dialogs";
import { PeopleHead } from "~/pages/people/head";

type Asked = { kind: "role" | "password" | "state"; user: User } | { kind: "add" };

/** Whether there is nobody else who could let people in; the server refuses to lose the last one. */
const isLastAdmin = (user: User, users: User[]) =>
  user.role === "admin" &&
  !user.is_disabled &&
  !users.some((other) => other.name !== user.name && other.role === "admin" && !other.is_disabled);

export default function PeoplePage() {
  const users = useUsers();
  const [asked, setAsked] = useState<Asked | null>(null);
  return (
    <>
      <PeopleHead title="People" note="Who may log in, and what they may do" />
      <Loaded query={users} what="people" lines={6}>
        {(all) => (
          <>
            <Panel
              title={format.plural(all.length, "user")}
              note="A user is never deleted, since decisions bear the name; a disabled one cannot log in"
              actions={
                <Button look="primary" onClick={() => setAsked({ kind: "add" })}>
                  Add a user
                </Button>
              }
            >
              <Users users={all} ask={setAsked} />
            </Panel>
            {asked && <Question asked={asked} users={all} onClose={() => setAsked(null)} />}
          </>
        )}
      </Loaded>
    </>
  );
}

function Question({ asked, users, onClose }: { asked: Asked; users: User[]; onClose: () => void }) {
  const me = useMe().data;
  if (asked.kind === "add") return <AddDialog onClose={onClose} />;
  const about = {
    user: asked.user,
    isMe: me?.name === asked.user.name,
    isLastAdmin: isLastAdmin(asked.user, users),
    onClose,
  };
  if (asked.kind === "role") return <RoleDialog {...about} />;
  if (asked.kind === "password") return <PasswordDialog {...about} />;
  return <StateDialog {...about} />;
}

interface Row extends User {
  ask: (asked: Asked) => void;
}

function Users({ users, ask }: { users: User[]; ask: (asked: Asked) => void }) {
  return (
    <DataTable
      caption="Users, by name"
      columns={COLUMNS}
      rows={users.map((user) => ({ ...user, ask }))}
      rowKey={(user) => user.name}
      height="max-h-[calc(100vh-16rem)]"
    />
  );
}

const COLUMNS = columnsOf<Row>((helper) => [
  helper.accessor("name", {
    header: "Name",
    cell: ({ row: { original: user } }) => (
      <span className="block min-w-20 break-all font-medium">{user.name}</span>
    ),
  }),
  helper.accessor("role", { header: "Role", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("is_disabled", {
    header: "State",
    cell: (cell) =>
      cell.getValue() ? <Badge tone="warn">Disabled</Badge> : <Badge tone="good">May log in</Badge>,
  }),
  helper.accessor("last_login_at", {
    header: "Last login",
    meta: { isWide: true },
    cell: (cell) => (cell.getValue() ? format.instant(cell.getValue()) : "Never"),
  }),
  helper.accessor("created_at", {
    header: "Added",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
  helper.display({
    id: "change",
    header: "Change",
    cell: ({ row: { original: user } }) => (
      <div className="flex flex-wrap gap-1">
        {(
          [
            ["role", "Role"],
            ["password", "Password"],
            ["state", user.is_disabled ? "Enable" : "Disable"],
          ] as const
        ).map(([kind, name]) => (
          <Button key={kind} aria-label={`${name}: ${user.name}`} onClick={() => user.ask({ kind, user })}>
            {name}
          </Button>
        ))}
      </div>
    ),
  }),
]);
