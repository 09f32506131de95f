import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { ApiError, api, read } from "~/api/client";
import { Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import { wantedInDagster } from "~/design/dagster";
import { Input } from "~/design/field";

export function LoginPage() {
  const client = useQueryClient();
  const first = useRef<HTMLInputElement>(null);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => read(api.POST("/api/login", { body: { name, password } })),
    onSuccess: (me) => {
      const wanted = wantedInDagster(window.location.search);
      if (wanted) window.location.assign(wanted);
      else client.setQueryData(["me"], me);
    },
    onError: () => setPassword(""),
  });
  useEffect(() => first.current?.focus(), []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <main className="flex min-h-screen items-center justify-center p-4">
      <form
        onSubmit={submit}
        className="w-full max-w-sm space-y-4 rounded-lg border border-line bg-surface p-6"
      >
        <div className="flex items-center gap-2.5">
          <img src="/favicon.svg" alt="" className="size-8" />
          <h1>Log in to NexGen</h1>
        </div>
        {login.error && (
          <Notice tone="bad" title={titleOf(login.error)}>
            {login.error.message}
          </Notice>
        )}
        <Input
          label="Name"
          ref={first}
          autoComplete="username"
          required
          value={name}
          onChange={(e) => setName(e.target.value)}
        />
        <Input
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(e) => setPassword(e.target.value)}
        />
        <Button type="submit" look="primary" className="w-full" isBusy={login.isPending}>
          Log in
        </Button>
        <p className="text-muted">
          No account? Whoever runs NexGen adds one with <code>nexgen users add</code>.
        </p>
      </form>
    </main>
  );
}

function titleOf(error: Error): string {
  if (error instanceof ApiError && error.status === 429) return "Too many tries";
  if (error instanceof ApiError && error.status === 401) return "Not logged in";
  return "Cannot log in";
}
