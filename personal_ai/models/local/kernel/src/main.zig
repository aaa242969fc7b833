//! The library that onnxruntime loads: it adds the domain of this program's operators to a session's options.

const std = @import("std");
const ort = @import("onnxruntime.zig");
const block_products = @import("block_products.zig");

pub const panic = std.debug.no_panic;

/// Made once and never given back: sessions of any age refer to it.
var registered: ?*ort.Domain = null;

export fn RegisterCustomOps(options: *ort.SessionOptions, base: *const ort.ApiBase) callconv(.c) ?*ort.Status {
    const api = base.getApi(ort.version) orelse {
        const oldest = base.getApi(1) orelse return null; // every onnxruntime has it
        return oldest.function(.CreateStatus)(.not_implemented, "this onnxruntime is too old for BlockProducts");
    };
    var calls = ort.Calls{ .api = api };
    const domain = @atomicLoad(?*ort.Domain, &registered, .acquire) orelse made(&calls) catch return calls.status;
    return api.function(.AddCustomOpDomain)(options, domain);
}

fn made(calls: *ort.Calls) ort.Refused!*ort.Domain {
    var domain: ?*ort.Domain = null;
    try calls.call(.CreateCustomOpDomain, .{ "personal_ai", &domain });
    const release = calls.api.function(.ReleaseCustomOpDomain);
    errdefer release(domain.?);
    try calls.call(.CustomOpDomain_Add, .{ domain.?, &block_products.operator });
    const other = @cmpxchgStrong(?*ort.Domain, &registered, null, domain, .acq_rel, .acquire) orelse return domain.?;
    release(domain.?); // another thread was first
    return other.?;
}

test {
    _ = @import("activations.zig");
    _ = @import("weights.zig");
    _ = @import("product.zig");
}
