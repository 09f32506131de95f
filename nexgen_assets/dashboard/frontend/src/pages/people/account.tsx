/** One's own account: who one is, the password, and tokens for programs. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import {
  ROLES,
  type Role,
  rolesUpTo,
  type Token,
  useChangePassword,
  useEndToken,
  useMakeToken,
  useMyTokens,
} from "~/api/people";
import { useMe } from "~/api/queries";
import { Badge, Loaded, Notice, Panel } from "~/design/blocks";
import { Button } from "~/design/button";
import { Input, Select } from "~/design/field";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";
import { PeopleHead } from "~/pages/people/head";
import { Secret, SHORTEST } from "~/pages/people/secrets";

export default function AccountPage() {
  const me = useMe().data;
  if (!me) return null;
  const may = ROLES.find(([role]) => role === me.role)?.[1] ?? "";
  return (
    <>
      <PeopleHead title="Your account" note={`${me.name}, ${me.role}: ${may}`} />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_minmax(0,2fr)]">
        <PasswordPanel name={me.name} />
        <TokensPanel role={me.role} />
      </div>
    </>
  );
}

function PasswordPanel({ name }: { name: string }) {
  const client = useQueryClient();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const change = useChangePassword();
  const isSame = fresh === again;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate({ old, new: fresh });
  };
  if (change.isSuccess) {
    return (
      <Panel title="Password">
        <Notice
          tone="good"
          title="Your password is changed"
          action={
            <Button look="primary" onClick={() => client.setQueryData(["me"], null)}>
              Log in again
            </Button>
          }
        >
          Every session has ended, this one too.
        </Notice>
      </Panel>
    );
  }
  return (
    <Panel title="Password" note="A new one ends every session, on all devices">
      <form onSubmit={submit} className="space-y-3.5">
        {change.error && (
          <Notice tone="bad" title="Not changed">
            {change.error.message}
          </Notice>
        )}
        {/* password managers keep the new password under this name */}
        <input type="text" autoComplete="username" value={name} readOnly hidden />
        <Input
          label="Old password"
          type="password"
          autoComplete="current-password"
          required
          value={old}
          onChange={(event) => setOld(event.target.value)}
        />
        <Input
          label="New password"
          type="password"
          autoComplete="new-password"
          required
          minLength={SHORTEST}
          hint="12 characters or more"
          value={fresh}
          onChange={(event) => setFresh(event.target.value)}
        />
        <Input
          label="New password again"
          type="password"
          autoComplete="new-password"
          required
          value={again}
          error={again && !isSame ? "Not the same as above" : undefined}
          onChange={(event) => setAgain(event.target.value)}
        />
        <Button type="submit" look="primary" isBusy={change.isPending} disabled={!isSame}>
          Change the password
        </Button>
      </form>
    </Panel>
  );
}

function TokensPanel({ role }: { role: Role }) {
  const tokens = useMyTokens();
  const end = useEndToken();
  return (
    <Panel title="API tokens" note="What a program sends in place of a login, as “Authorization: Bearer …”">
      <div className="space-y-4">
        <NewToken role={role} />
        {end.error && (
          <Notice tone="bad" title="Not ended">
            {end.error.message}
          </Notice>
        )}
        <Loaded query={tokens} what="tokens">
          {(all) => (
            <DataTable
              caption="Your tokens, newest first"
              columns={COLUMNS}
              rows={all.map((token) => ({ ...token, end: () => end.mutate(token.token_id) }))}
              rowKey={(token) => token.token_id}
              empty="You have no tokens."
            />
          )}
        </Loaded>
      </div>
    </Panel>
  );
}

function NewToken({ role: own }: { role: Role }) {
  const [label, setLabel] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [days, setDays] = useState("90");
  const make = useMakeToken();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate({ label, role, days: Number(days) }, { onSuccess: () => setLabel("") });
  };
  return (
    <>
      <form onSubmit={submit} className="grid items-end gap-3 sm:grid-cols-[2fr_2fr_1fr_auto]">
        <Input
          label="What it is for"
          required
          maxLength={100}
          value={label}
          onChange={(event) => setLabel(event.target.value)}
        />
        <Select
          label="Role, no more than yours"
          value={role}
          onChange={(event) => setRole(event.target.value as Role)}
          options={rolesUpTo(own).map(([name]) => [name, name] as const)}
        />
        <Input
          label="Days"
          type="number"
          required
          min={1}
          max={366}
          value={days}
          onChange={(event) => setDays(event.target.value)}
        />
        <Button type="submit" look="primary" isBusy={make.isPending}>
          Make a token
        </Button>
      </form>
      {make.error && (
        <Notice tone="bad" title="No token was made">
          {make.error.message}
        </Notice>
      )}
      {make.data && (
        <div className="space-y-3 rounded-lg border border-good/40 p-3">
          <p role="status">
            <b>Copy it now: it is shown this once.</b> It ends on {format.instant(make.data.expires_at)}.
          </p>
          <Secret label={`Token “${make.data.label}”`} value={make.data.token} />
        </div>
      )}
    </>
  );
}

interface Row extends Token {
  end: () => void;
}

const isOver = (token: Token) => token.is_ended || new Date(token.expires_at) <= new Date();

const COLUMNS = columnsOf<Row>((helper) => [
  helper.accessor("label", {
    header: "For",
    cell: ({ row: { original: token } }) => (
      <>
        <span className="break-words">{token.label}</span>
        <span className="block font-mono text-[0.93rem] text-muted">nxg_{token.token_id}_…</span>
      </>
    ),
  }),
  helper.accessor("role", {
    header: "Role",
    meta: { isWide: true },
    cell: (cell) => format.words(cell.getValue()),
  }),
  helper.accessor("created_at", {
    header: "Made",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
  helper.accessor("expires_at", { header: "Ends", cell: (cell) => format.instant(cell.getValue()) }),
  helper.display({
    id: "end",
    header: "State",
    cell: ({ row: { original: token } }) =>
      isOver(token) ? (
        <Badge>{token.is_ended ? "Ended" : "Expired"}</Badge>
      ) : (
        <Button look="danger" aria-label={`End ${token.label}`} onClick={token.end}>
          End
        </Button>
      ),
  }),
]);
