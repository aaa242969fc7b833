//! Going on with a conversation: revise its tokens, compute the keys and values that are missing, choose tokens until
//! something ends the reply. docs/formats/canister.md says what client and canister rely on.

const std = @import("std");
const activation = @import("activation.zig");
const conversations = @import("conversation.zig");
const ic0 = @import("ic0.zig");
const interface = @import("interface.zig");
const sampling = @import("sampling.zig");
const sha256 = @import("sha256.zig");
const store = @import("store.zig");
const Budget = @import("budget.zig").Budget;
const Conversation = conversations.Conversation;
const Instance = @import("instance.zig").Instance;

const Request = interface.GenerateRequest;
const GenerateError = interface.GenerateError;
const Result = interface.Result(interface.Generated, GenerateError);

const stop_sequences_most = 16;
const stop_tokens_most = 64;
/// The first words after a prompt: tokens that the caller's wish gives way to, as it does to the prompt.
const opening_tokens = 3;

/// Answers one request in a message that may use `limit` instructions.
pub fn generate(request: *const Request, limit: u64) Result {
    const instance = activation.answering() orelse {
        return .{ .err = if (activation.loading()) .busy else .no_model };
    };
    if (instance.model.isGraph()) return .{ .err = invalid("the model does not write text: run is its method") };
    const choice = choiceOf(request.sampling);
    if (faultOf(request, choice, instance)) |fault| return .{ .err = fault };
    const request_hash = hashOf(request);
    if (conversations.find(instance.held(), request.conversation.bytes)) |held| {
        if (repeated(held, &request_hash)) |answer| return .{ .ok = answer };
    }
    const conversation = switch (prefix(request, instance)) {
        .ok => |found| found,
        .err => |err| return .{ .err = err },
    };
    conversation.revise(request.keep, request.append);
    store.counters.requests += 1;
    conversation.last_used = store.counters.requests;
    instance.attach(conversation);
    var run = Run{
        .request = request,
        .instance = instance,
        .conversation = conversation,
        .choice = choice,
        .budget = budgetOf(request, choice, instance, limit),
        .opening_end = conversation.length + openingTokens(request, conversation),
    };
    const start = conversation.length;
    const finish = run.untilFinished() orelse return .{ .err = textLimit("one message is too short for a token of this model") };
    return .{ .ok = conclude(conversation, request_hash, start, finish) };
}

/// So many tokens are chosen before the caller's wish to spend no more counts. Without a prompt one is.
fn openingTokens(request: *const Request, conversation: *const Conversation) u32 {
    if (request.max_tokens == 0) return 0;
    return if (conversation.length - conversation.computed > 1) opening_tokens else 1;
}

/// One message's work on one conversation.
const Run = struct {
    request: *const Request,
    instance: *Instance,
    conversation: *Conversation,
    choice: sampling.Sampling,
    budget: Budget,
    /// Up to this length of the conversation the caller's wish gives way.
    opening_end: u32,

    /// Why the reply ended; null when not even one step fits the message.
    fn untilFinished(self: *Run) ?interface.Finish {
        const conversation = self.conversation;
        const start = conversation.length;
        if (self.request.max_tokens == 0 and conversation.computed == start) return .max_tokens;
        // Where the logits of the last token are not kept, it is computed again for them.
        if (conversation.computed == start and conversation.keptLogits() == null) conversation.computed -= 1;
        while (true) {
            const produced = conversation.length - start;
            if (produced > 0 and produced == self.request.max_tokens) return .max_tokens;
            if (conversation.length == conversation.layout.capacity and produced > 0) return .budget;
            const logits = self.logitsOfLast() orelse return if (self.budget.progressed) .budget else null;
            if (self.request.max_tokens == 0) return .max_tokens;
            const before = ic0.instructionsUsed();
            const token = sampling.sample(logits, conversation.tokens(), self.choice, self.instance.samplingScratch());
            self.budget.chose(ic0.instructionsUsed() - before);
            conversation.push(token);
            store.counters.tokens_generated += 1;
            if (std.mem.indexOfScalar(u32, self.instance.model.endTokens(), token) != null) return .end;
            if (self.stopped()) return .stop;
        }
    }

    /// The logits after the last token; null when the budget does not allow it.
    fn logitsOfLast(self: *Run) ?[]const f32 {
        const conversation = self.conversation;
        if (conversation.keptLogits()) |kept| return kept;
        const computed = self.compute() orelse return null;
        const replies_begin_here = conversation.length == conversation.reply_start or self.request.max_tokens == 0;
        if (replies_begin_here) conversation.keepLogits(computed);
        return computed;
    }

    /// Computes keys and values up to the last token and gives its logits; null when the budget does not allow it.
    fn compute(self: *Run) ?[]const f32 {
        const conversation = self.conversation;
        while (true) {
            const past = conversation.computed;
            const missing = conversation.length - past;
            const count = self.budget.pieceLength(missing, past, conversation.length < self.opening_end);
            if (count == 0) return null;
            const before = ic0.instructionsUsed();
            const ready = self.step(conversation.tokens()[past..][0..count], past, count == missing);
            self.budget.observe(count, past, ic0.instructionsUsed() - before);
            conversation.computed += count;
            store.counters.tokens_computed += count;
            if (ready != null) return ready;
        }
    }

    /// Runs the model; logits only where they are wanted. Tokens and room were checked with the request.
    fn step(self: *Run, tokens: []const u32, past: u32, last: bool) ?[]const f32 {
        if (last) return self.instance.model.forward(tokens, past) catch unreachable;
        self.instance.model.absorb(tokens, past) catch unreachable;
        return null;
    }

    fn stopped(self: *const Run) bool {
        var sequences = self.request.stop.iterator();
        while (sequences.next()) |sequence| if (self.conversation.replyEndsWith(sequence)) return true;
        return false;
    }
};

fn conclude(
    conversation: *Conversation,
    request_hash: sha256.Digest,
    start: u32,
    finish: interface.Finish,
) interface.Generated {
    const instructions = ic0.instructionsUsed();
    store.counters.instructions += instructions;
    const produced = conversation.length > start;
    // Where nothing was chosen the same request shall go on computing, not be told the same again.
    conversation.answer = if (!produced and finish == .budget) null else .{
        .request_hash = request_hash,
        .start = start,
        .finish = finish,
        .instructions = instructions,
    };
    return .{
        .tokens = conversation.tokens()[start..],
        .length = conversation.length,
        .finish = finish,
        .instructions = instructions,
    };
}

fn repeated(conversation: *const Conversation, request_hash: *const sha256.Digest) ?interface.Generated {
    const answer = conversation.answer orelse return null;
    if (!std.mem.eql(u8, &answer.request_hash, request_hash)) return null;
    return .{
        .tokens = conversation.tokens()[answer.start..],
        .length = conversation.length,
        .finish = answer.finish,
        .instructions = answer.instructions,
    };
}

/// The conversation whose first `keep` tokens are those that the client means.
fn prefix(request: *const Request, instance: *Instance) union(enum) { ok: *Conversation, err: GenerateError } {
    const name = request.conversation.bytes;
    if (conversations.find(instance.held(), name)) |conversation| {
        // A shorter conversation may be the beginning of the client's: it finds out by asking with that length.
        if (request.keep > conversation.length) return .{ .err = .{ .need_prefix = .{ .have = conversation.length } } };
        if (std.mem.eql(u8, &conversation.hashOfFirst(request.keep), request.keep_hash.bytes)) return .{ .ok = conversation };
        return .{ .err = .{ .need_prefix = .{ .have = 0 } } };
    }
    if (request.keep > 0) return .{ .err = .{ .need_prefix = .{ .have = 0 } } };
    return .{ .ok = instance.beginConversation(name, request.append) };
}

/// What no state of the canister would make right.
fn faultOf(request: *const Request, choice: sampling.Sampling, instance: *const Instance) ?GenerateError {
    if (request.conversation.bytes.len > conversations.id_bytes_most) return invalid("conversation must be at most 32 bytes");
    if (request.keep_hash.bytes.len != 32) return invalid("keep_hash must be 32 bytes");
    if (request.keep == 0 and !std.mem.eql(u8, request.keep_hash.bytes, &sha256.hash(""))) {
        return invalid("keep_hash must be the hash of nothing when keep is 0");
    }
    if (choice.fault()) |fault| return invalid(fault);
    if (stopFault(request)) |fault| return invalid(fault);
    return contextFault(request, instance);
}

fn stopFault(request: *const Request) ?[]const u8 {
    if (request.stop.count > stop_sequences_most) return "there may be at most 16 stop sequences";
    var sequences = request.stop.iterator();
    while (sequences.next()) |sequence| {
        if (sequence.count() == 0 or sequence.count() > stop_tokens_most) return "a stop sequence must have 1 to 64 tokens";
    }
    return null;
}

fn contextFault(request: *const Request, instance: *const Instance) ?GenerateError {
    const model = &instance.model;
    const wanted = @as(u64, request.keep) + request.append.count();
    const room: u64 = if (request.max_tokens > 0) 1 else 0;
    if (wanted + room > model.context_length_max) return textLimit("the conversation fills the model's context");
    if (wanted == 0 and request.max_tokens > 0) return invalid("there is no token to go on from");
    for (0..request.append.count()) |i| {
        if (request.append.at(i) >= model.vocabulary_size) return invalid("a token is not in the model's vocabulary");
    }
    return null;
}

fn budgetOf(request: *const Request, choice: sampling.Sampling, instance: *Instance, limit: u64) Budget {
    return .{
        .cost = &instance.cost,
        .footprint = .{
            .program_bytes = instance.unpacker.program_bytes,
            .working_bytes = instance.workingBytes() + instance.layout.logitsBytes(),
            .state_bytes = instance.model.stateSizeBytes(),
        },
        .sampling_most = choice.instructionsMost(instance.model.vocabulary_size, instance.model.context_length_max) +
            instance.layout.logitsBytes(),
        .wanted = if (request.max_instructions == 0) limit else request.max_instructions,
        .limit = limit,
    };
}

fn choiceOf(given: interface.Sampling) sampling.Sampling {
    return .{
        .temperature = given.temperature,
        .top_k = given.top_k,
        .top_p = given.top_p,
        .min_p = given.min_p,
        .repetition_penalty = given.repetition_penalty,
        .seed = given.seed,
    };
}

/// Names a request: all that its answer depends on, beside what the canister holds. How much of the answer one
/// message makes (max_instructions) is not in it.
fn hashOf(request: *const Request) sha256.Digest {
    var hasher = sha256.Sha256{};
    hashBytes(&hasher, request.conversation.bytes);
    hasher.update(std.mem.asBytes(&request.keep));
    hashBytes(&hasher, request.keep_hash.bytes);
    hashBytes(&hasher, request.append.bytes);
    hasher.update(std.mem.asBytes(&request.max_tokens));
    inline for (std.meta.fields(interface.Sampling)) |field| {
        hasher.update(std.mem.asBytes(&@field(request.sampling, field.name)));
    }
    var sequences = request.stop.iterator();
    while (sequences.next()) |sequence| hashBytes(&hasher, sequence.bytes);
    return hasher.final();
}

/// The length goes first, so that no two lists of fields give the same bytes.
fn hashBytes(hasher: *sha256.Sha256, bytes: []const u8) void {
    const length: u32 = @intCast(bytes.len);
    hasher.update(std.mem.asBytes(&length));
    hasher.update(bytes);
}

fn invalid(text: []const u8) GenerateError {
    return .{ .invalid = .{ .bytes = text } };
}

fn textLimit(text: []const u8) GenerateError {
    return .{ .limit = .{ .bytes = text } };
}
