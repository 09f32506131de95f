/** The questions an admin is asked before a user is added or changed. */
import { type FormEvent, type ReactNode, useState } from "react";
import { ROLES, type Role, type User, useAddUser, useChangeUser } from "~/api/people";
import { Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import { Dialog } from "~/design/dialog";
import { Input, Select } from "~/design/field";
import { PasswordForOther, Secret } from "~/pages/people/secrets";

interface About {
  user: User;
  isMe: boolean;
  isLastAdmin: boolean;
  onClose: () => void;
}

export function AddDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [password, setPassword] = useState("");
  const add = useAddUser();
  if (add.isSuccess) {
    return <Told title="User added" name={name} password={password} onClose={onClose} />;
  }
  return (
    <Question
      title="Add a user"
      failed="Not added"
      change={add}
      ask={() => add.mutate({ name, role, password })}
      deed="Add"
      onClose={onClose}
    >
      <Input
        label="Name"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        required
        maxLength={64}
        pattern="[A-Za-z0-9][A-Za-z0-9._@+\-]*"
        title="Letters, digits and . _ @ + -, beginning with a letter or digit"
        hint="Letters, digits and . _ @ + -; it stands beside what they decide and cannot be changed"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <RoleChoice value={role} onChange={setRole} />
      <PasswordForOther label="First password (12 or more)" value={password} onChange={setPassword} />
    </Question>
  );
}

export function RoleDialog({ user, isMe, isLastAdmin, onClose }: About) {
  const [role, setRole] = useState<Role>(user.role);
  const change = useChangeUser();
  return (
    <Question
      title={`Role of ${user.name}`}
      failed="Not changed"
      change={change}
      ask={() => change.mutate({ name: user.name, role }, { onSuccess: onClose })}
      deed="Change the role"
      isPossible={role !== user.role && !isLastAdmin}
      onClose={onClose}
    >
      {isLastAdmin && <LastAdmin name={user.name} />}
      <RoleChoice value={role} onChange={setRole} isDisabled={isLastAdmin} />
      <p className="text-muted">
        It holds at once, for sessions that are open and for tokens too.
        {isMe && !isLastAdmin && " This is you: as anything but admin you cannot change it back."}
      </p>
    </Question>
  );
}

export function PasswordDialog({ user, isMe, onClose }: About) {
  const [password, setPassword] = useState("");
  const change = useChangeUser();
  if (change.isSuccess) {
    return <Told title="Password changed" name={user.name} password={password} onClose={onClose} />;
  }
  return (
    <Question
      title={`New password for ${user.name}`}
      failed="Not changed"
      change={change}
      ask={() => change.mutate({ name: user.name, password })}
      deed="Change the password"
      isPossible={!isMe}
      onClose={onClose}
    >
      {isMe ? (
        <Notice title="This is you">Your own password is changed on the page “Your account”.</Notice>
      ) : (
        <>
          <PasswordForOther label="New password (12 or more)" value={password} onChange={setPassword} />
          <p className="text-muted">
            Every session of theirs ends. Their tokens stay: disable them to end those.
          </p>
        </>
      )}
    </Question>
  );
}

export function StateDialog({ user, isMe, isLastAdmin, onClose }: About) {
  const change = useChangeUser();
  const deed = user.is_disabled ? "Enable" : "Disable";
  const isRefused = isLastAdmin && !user.is_disabled;
  return (
    <Question
      title={`${deed} ${user.name}`}
      failed="Not changed"
      change={change}
      ask={() => change.mutate({ name: user.name, is_disabled: !user.is_disabled }, { onSuccess: onClose })}
      deed={deed}
      isPossible={!isRefused}
      isDanger={!user.is_disabled}
      onClose={onClose}
    >
      {isRefused ? (
        <LastAdmin name={user.name} />
      ) : (
        <p>
          {user.is_disabled
            ? "They may log in again, with the password they had. Sessions and tokens that have ended stay ended."
            : "Every session and every token of theirs ends now, for good. What they decided stays."}
          {isMe && " This is you: you will be logged out."}
        </p>
      )}
    </Question>
  );
}

function LastAdmin({ name }: { name: string }) {
  return (
    <Notice tone="warn" title={`${name} is the last admin`}>
      Without an admin nobody could let people in. Make somebody else admin first.
    </Notice>
  );
}

/** A password that was just given, shown once more to be handed on. */
function Told({
  title,
  name,
  password,
  onClose,
}: {
  title: string;
  name: string;
  password: string;
  onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="space-y-3.5">
        <Notice tone="good" title={`${name} can log in with this password`}>
          It is shown this once. They can change it on the page “Your account”.
        </Notice>
        <Secret label="Password" value={password} />
        <div className="flex justify-end">
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function RoleChoice({
  value,
  onChange,
  isDisabled = false,
}: {
  value: Role;
  onChange: (role: Role) => void;
  isDisabled?: boolean;
}) {
  return (
    <Select
      label="Role"
      value={value}
      disabled={isDisabled}
      onChange={(event) => onChange(event.target.value as Role)}
      options={ROLES.map(([role, may]) => [role, `${role}: ${may}`] as const)}
    />
  );
}

interface QuestionProps {
  title: string;
  failed: string;
  change: { error: Error | null; isPending: boolean };
  ask: () => void;
  deed: string;
  isPossible?: boolean;
  isDanger?: boolean;
  onClose: () => void;
  children: ReactNode;
}

function Question({
  title,
  failed,
  change,
  ask,
  deed,
  isPossible = true,
  isDanger = false,
  onClose,
  children,
}: QuestionProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="space-y-3.5">
        {change.error && (
          <Notice tone="bad" title={failed}>
            {change.error.message}
          </Notice>
        )}
        {children}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            look={isDanger ? "danger" : "primary"}
            isBusy={change.isPending}
            disabled={!isPossible}
          >
            {deed}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
