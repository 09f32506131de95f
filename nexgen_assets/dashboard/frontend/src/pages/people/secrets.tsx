/** Passwords and tokens: choosing one, and showing it the one time that it is known. */
import { useState } from "react";
import { Button } from "~/design/button";
import { Input } from "~/design/field";

export const SHORTEST = 12;
const LENGTH = 20;
// without letters and digits that are taken for each other: people type it from a note
const SIGNS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/** 20 of 56 signs, each as likely as the others: 116 bits. */
function generated(): string {
  const largest = 256 - (256 % SIGNS.length);
  let password = "";
  while (password.length < LENGTH) {
    const [byte = 255] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < largest) password += SIGNS[byte % SIGNS.length];
  }
  return password;
}

interface Props {
  label: string;
  value: string;
  onChange: (password: string) => void;
}

/** A password for somebody else: typed, or made here; shown, since it must be handed on. */
export function PasswordForOther({ label, value, onChange }: Props) {
  return (
    <div className="flex items-end gap-2">
      <div className="grow">
        <Input
          label={label}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          required
          minLength={SHORTEST}
          maxLength={1024}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className="font-mono"
        />
      </div>
      <Button onClick={() => onChange(generated())}>Generate</Button>
    </div>
  );
}

/** A secret to be copied now. Browsers let a page write to the clipboard on https and on this machine alone. */
export function Secret({ label, value }: { label: string; value: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = () => navigator.clipboard.writeText(value).then(() => setIsCopied(true));
  return (
    <div className="flex items-end gap-2">
      <div className="grow">
        <Input
          label={label}
          readOnly
          value={value}
          onFocus={(event) => event.target.select()}
          className="font-mono"
        />
      </div>
      {window.isSecureContext && <Button onClick={() => void copy()}>{isCopied ? "Copied" : "Copy"}</Button>}
    </div>
  );
}
