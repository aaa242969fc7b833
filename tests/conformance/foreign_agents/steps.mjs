// One JavaScript agent on the practice network, every verification on. The argument says which: icp-sdk or dfinity.
// Reads {url, rootKey, canisterId, ledgerId, icpLedgerId, moduleHash} as JSON and prints {step: "" or what went wrong}.

import { readFileSync } from 'node:fs';

const names = {
  'icp-sdk': {
    agent: '@icp-sdk/core/agent',
    candid: '@icp-sdk/core/candid',
    identity: '@icp-sdk/core/identity',
    secp256k1: '@icp-sdk/core/identity/secp256k1',
    principal: '@icp-sdk/core/principal',
  },
  dfinity: {
    agent: '@dfinity/agent',
    candid: '@dfinity/candid',
    identity: '@dfinity/identity',
    secp256k1: '@dfinity/identity-secp256k1',
    principal: '@dfinity/principal',
  },
}[process.argv[2]];
const { Actor, CanisterStatus, HttpAgent, pollForResponse } = await import(names.agent);
const { IDL } = await import(names.candid);
const { DelegationChain, DelegationIdentity, Ed25519KeyIdentity } = await import(names.identity);
const { Secp256k1KeyIdentity } = await import(names.secp256k1);
const { Principal } = await import(names.principal);

const given = JSON.parse(readFileSync(0, 'utf8'));
const canisterId = Principal.fromText(given.canisterId);
const rootKey = Uint8Array.from(Buffer.from(given.rootKey, 'hex'));
const connect = (options = {}) =>
  HttpAgent.create({ host: given.url, rootKey, verifyQuerySignatures: true, retryTimes: 0, ...options });
const call = async (agent, methodName, arg = '', options = {}) => {
  const content = { methodName, arg: new TextEncoder().encode(arg), effectiveCanisterId: canisterId, ...options };
  if (agent.update) return (await agent.update(canisterId, content)).reply;
  const { requestId } = await agent.call(canisterId, content); // the older agent: sent, then asked for
  return (await pollForResponse(agent, canisterId, requestId)).reply;
};
const query = async (agent, methodName, arg = '') => {
  const answer = await agent.query(canisterId, { methodName, arg: new TextEncoder().encode(arg) });
  return answer.status === 'replied' ? answer.reply.arg : answer;
};
const text = (content) => new TextDecoder().decode(content);
const expect = (holds, what) => {
  if (!holds) throw new Error(what);
};
const refused = async (action, check) => {
  let refusal;
  try {
    await action();
  } catch (error) {
    refusal = error;
  }
  expect(refusal !== undefined, 'nothing was refused');
  expect(check(refusal), `refused otherwise: ${refusal}`);
};
const seesMe = async (identity) => {
  const agent = await connect({ identity });
  for (const seen of [await call(agent, 'caller'), await query(agent, 'caller')]) {
    expect(Principal.fromUint8Array(seen).toText() === identity.getPrincipal().toText(), 'another caller was seen');
  }
};
const delegated = async (targets) => {
  const [root, session] = [Ed25519KeyIdentity.generate(), Ed25519KeyIdentity.generate()];
  const chain = await DelegationChain.create(root, session.getPublicKey(), new Date(Date.now() + 600_000), { targets });
  return DelegationIdentity.fromDelegation(session, chain);
};
const forging = async (url, options) => {
  const answer = await fetch(url, options);
  const body = Buffer.from(await answer.arrayBuffer()).toString('latin1').replaceAll('honest', 'forged');
  return new Response(Buffer.from(body, 'latin1'), { status: answer.status });
};
const account = IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(IDL.Vec(IDL.Nat8)) });
const ledgerOf = (agent, id) =>
  Actor.createActor(
    () =>
      IDL.Service({
        icrc1_balance_of: IDL.Func([account], [IDL.Nat], ['query']),
        icrc1_symbol: IDL.Func([], [IDL.Text], []),
      }),
    { agent, canisterId: id },
  );

const agent = await connect({ identity: Ed25519KeyIdentity.generate() });
const steps = {
  status: async () => expect((await agent.status()).replica_health_status === 'healthy', 'it is not healthy'),
  'root key fetched': async () => {
    const fetching = await connect({ rootKey: undefined, shouldFetchRootKey: true });
    expect(text(await call(fetching, 'echo', 'nobody')) === 'nobody', 'another reply');
  },
  update: async () => expect(text(await call(agent, 'echo', 'grüezi')) === 'grüezi', 'another reply'),
  'asynchronous update': async () =>
    expect(text(await call(agent, 'echo', 'later', { callSync: false })) === 'later', 'another reply'),
  'query with signatures': async () => expect(text(await query(agent, 'echo_query', 'ü')) === 'ü', 'another reply'),
  'Ed25519 key': () => seesMe(Ed25519KeyIdentity.generate()),
  'secp256k1 key': () => seesMe(Secp256k1KeyIdentity.generate()),
  delegation: async () => seesMe(await delegated()),
  'delegation to the canister': async () => seesMe(await delegated([canisterId])),
  'delegation to another canister': async () => {
    const elsewhere = await connect({ identity: await delegated([Principal.fromText(given.ledgerId)]) });
    await refused(() => call(elsewhere, 'echo'), () => true);
  },
  rejection: () => refused(() => call(agent, 'refuse'), (error) => error.code?.rejectCode === 4),
  trap: () => refused(() => call(agent, 'trap_after_write'), (error) => error.code?.rejectErrorCode === 'IC0503'),
  'certified state': async () => {
    const status = await CanisterStatus.request({ canisterId, agent, paths: ['module_hash', 'subnet'] });
    expect(status.get('module_hash') === given.moduleHash, 'another module');
    expect(status.get('subnet').nodeKeys.size === 1, 'other nodes');
  },
  'cycles ledger': async () =>
    expect((await ledgerOf(agent, given.ledgerId).icrc1_symbol()) === 'TCYCLES', 'another symbol'),
  'ICP ledger': async () => {
    const owner = Principal.fromText(given.account);
    const held = await ledgerOf(agent, given.icpLedgerId).icrc1_balance_of({ owner, subaccount: [] });
    expect(held === 500_000_000n, `another balance: ${held}`);
  },
  'forged update': async () => {
    const forged = await connect({ fetch: forging });
    await refused(() => call(forged, 'echo', 'honest'), (error) => error.name === 'TrustError');
  },
  'forged query': async () => {
    const forged = await connect({ fetch: forging });
    await refused(() => query(forged, 'echo_query', 'honest'), (error) => error.name === 'TrustError');
  },
};
const seen = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    seen[name] = '';
  } catch (error) {
    seen[name] = String(error);
  }
}
console.log(JSON.stringify(seen));
