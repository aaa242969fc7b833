// The practice network as the Internet Computer's own JavaScript agent sees it, every verification on.
// Reads {url, rootKey, canisterId, ledgerId, account} as JSON from standard input and prints what it saw as JSON.

import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';

globalThis.crypto ??= webcrypto; // Node.js 18

const { Actor, CanisterStatus, HttpAgent } = await import('@icp-sdk/core/agent');
const { IDL } = await import('@icp-sdk/core/candid');
const { DelegationChain, DelegationIdentity, ECDSAKeyIdentity, Ed25519KeyIdentity } = await import(
  '@icp-sdk/core/identity'
);
const { Secp256k1KeyIdentity } = await import('@icp-sdk/core/identity/secp256k1');
const { Principal } = await import('@icp-sdk/core/principal');

const given = JSON.parse(readFileSync(0, 'utf8'));
const canisterId = Principal.fromText(given.canisterId);
const rootKey = Uint8Array.from(Buffer.from(given.rootKey, 'hex'));
const bytes = (text) => new TextEncoder().encode(text);
const text = (content) => new TextDecoder().decode(content);
const number = (content) => Number(Buffer.from(content).readBigUInt64LE(0));

const connect = (options = {}) =>
  HttpAgent.create({ host: given.url, rootKey, verifyQuerySignatures: true, retryTimes: 0, ...options });

const call = async (agent, methodName, arg = '', options = {}) =>
  (await agent.update(canisterId, { methodName, arg: bytes(arg), effectiveCanisterId: canisterId, ...options })).reply;

const query = async (agent, methodName, arg = '') => {
  const answer = await agent.query(canisterId, { methodName, arg: bytes(arg) });
  return answer.status === 'replied' ? answer.reply.arg : answer;
};

const refusal = async (action) => {
  try {
    await action();
    return { name: 'nothing was refused' };
  } catch (error) {
    const { name, rejectCode, rejectErrorCode, rejectMessage } = error.code ?? {};
    return { kind: error.name, name, rejectCode, rejectErrorCode, rejectMessage };
  }
};

const whoAmI = async (identity) => {
  const agent = await connect({ identity });
  const own = identity.getPrincipal().toText();
  const seen = [await call(agent, 'caller'), await query(agent, 'caller')];
  return seen.every((principal) => Principal.fromUint8Array(principal).toText() === own);
};

const delegated = async (targets) => {
  const root = Ed25519KeyIdentity.generate();
  const session = Ed25519KeyIdentity.generate();
  const chain = await DelegationChain.create(root, session.getPublicKey(), new Date(Date.now() + 600_000), { targets });
  return DelegationIdentity.fromDelegation(session, chain);
};

// Passes answers on with `from` replaced by `to`, as a gateway in the middle could.
const forging = (from, to) => async (url, options) => {
  const answer = await fetch(url, options);
  const body = Buffer.from(await answer.arrayBuffer());
  const forged = Buffer.from(body.toString('latin1').replaceAll(from, to), 'latin1');
  return new Response(forged, { status: answer.status, headers: { 'content-type': 'application/cbor' } });
};

const agent = await connect({ identity: Ed25519KeyIdentity.generate() });
const fetchingRootKey = await connect({ rootKey: undefined, shouldFetchRootKey: true, shouldSyncTime: true });
const forgingAgent = await connect({ fetch: forging('honest', 'forged') });
const forgingCandid = await connect({ fetch: forging('service : {}', 'service : []') });
const otherNetwork = await connect({ rootKey: undefined });

const before = number(await query(agent, 'get'));
const trapped = await refusal(() => call(agent, 'trap_after_write'));
const afterTrap = number(await query(agent, 'get'));
const incremented = number(await call(agent, 'inc'));

const status = await CanisterStatus.request({
  canisterId,
  agent,
  paths: ['module_hash', 'controllers', 'candid', 'time', 'subnet'],
});
const ledger = Actor.createActor(
  () =>
    IDL.Service({
      icrc1_balance_of: IDL.Func(
        [IDL.Record({ owner: IDL.Principal, subaccount: IDL.Opt(IDL.Vec(IDL.Nat8)) })],
        [IDL.Nat],
        ['query'],
      ),
      icrc1_fee: IDL.Func([], [IDL.Nat], ['query']),
      icrc1_symbol: IDL.Func([], [IDL.Text], []),
    }),
  { agent, canisterId: given.ledgerId },
);

const seen = {
  health: (await agent.status()).replica_health_status,
  rootKeyFetched: Buffer.from(fetchingRootKey.rootKey).toString('hex') === given.rootKey,
  callReply: text(await call(agent, 'echo', 'grüezi')),
  asynchronousReply: text(await call(agent, 'echo', 'later', { callSync: false })),
  queryReply: text(await query(agent, 'echo_query', 'grüezi')),
  anonymousCall: text(await call(fetchingRootKey, 'echo', 'nobody')),
  callers: {
    ed25519: await whoAmI(Ed25519KeyIdentity.generate()),
    secp256k1: await whoAmI(Secp256k1KeyIdentity.generate()),
    p256: await whoAmI(await ECDSAKeyIdentity.generate()),
    delegated: await whoAmI(await delegated()),
    delegatedToCanister: await whoAmI(await delegated([canisterId])),
  },
  delegatedElsewhere: await refusal(async () =>
    call(await connect({ identity: await delegated([Principal.fromText(given.ledgerId)]) }), 'echo'),
  ),
  rejected: await refusal(() => call(agent, 'refuse')),
  trapped,
  refusedByInspection: await refusal(() => call(agent, 'private')),
  unknownMethod: await refusal(() => call(agent, 'no_such_method')),
  queryRejected: await query(agent, 'no_such_method').then(({ status, reject_code, error_code }) => ({
    status,
    reject_code,
    error_code,
  })),
  trapRolledBack: afterTrap === before && incremented === before + 1,
  moduleHash: status.get('module_hash'),
  controllers: status.get('controllers').map((principal) => principal.toText()),
  candid: status.get('candid'),
  nodes: status.get('subnet').nodeKeys.size,
  balance: String(
    await ledger.icrc1_balance_of({ owner: Principal.fromText(given.account), subaccount: [] }),
  ),
  fee: String(await ledger.icrc1_fee()),
  certifiedSymbol: await ledger.icrc1_symbol(),
  forgedCall: await refusal(() => call(forgingAgent, 'echo', 'honest')),
  forgedQuery: await refusal(() => query(forgingAgent, 'echo_query', 'honest')),
  forgedState: await refusal(() =>
    CanisterStatus.request({ canisterId, agent: forgingCandid, paths: ['candid'] }),
  ),
  otherRootKey: await refusal(() => call(otherNetwork, 'echo', 'x')),
};
console.log(JSON.stringify(seen));
