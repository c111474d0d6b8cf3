// Asks the pack's route for plans: one request at a time, and of those that come meanwhile only the last. A DNA goes by
// its fingerprint, and itself only where the server does not know it: after a restart, or when many others came since.

import { api } from "../../../scripts/api.js";
import { language, say } from "./words.js";

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
      await null; // what is set in one go, such as a graph that is loaded, is asked for once
      const current = this.next;
      if (!current) break; // forgotten meanwhile
      this.next = null;
      this.onAnswer(current, await ask(current));
    }
    this.busy = false;
  }

  forget() {
    this.next = null;
  }
}

async function ask({ content, ...request }) {
  const answer = await post(request);
  return answer.claims?.unknown && content ? post({ content, ...request }) : answer;
}

async function post(request) {
  try {
    const response = await api.fetchApi("/cotj/plan", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": language() },
      body: JSON.stringify(request),
    });
    const reply = await response.json();
    return response.ok ? { claims: reply } : { error: reply.error };
  } catch {
    return { error: say("The server does not answer."), offline: true };
  }
}
