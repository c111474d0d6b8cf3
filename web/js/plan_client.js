// Asks the pack's route for plans: one request at a time, and of those that come meanwhile only the last.

import { api } from "../../../scripts/api.js";

/** `ask(request)` has `onAnswer(request, {claims} or {error})` called for the latest request, and maybe for earlier ones. */
export class PlanClient {
  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.next = null;
    this.busy = false;
  }

  async ask(request) {
    this.next = request;
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const current = this.next;
      this.next = null;
      this.onAnswer(current, await post(current));
    }
    this.busy = false;
  }

  forget() {
    this.next = null;
  }
}

async function post(request) {
  try {
    const response = await api.fetchApi("/cotj/plan", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
    });
    const reply = await response.json();
    return response.ok ? { claims: reply } : { error: reply.error };
  } catch {
    return { error: "The server does not answer.", offline: true };
  }
}
