//! The part of onnxruntime's C interface that an operator of one's own needs (onnxruntime_c_api.h, version 18). Functions
//! are found by their place in `OrtApi`, which never changes: later versions add to its end.

const std = @import("std");

pub const version = 18; // the first with KernelInfoGetAllocator

pub const Status = opaque {};
pub const Value = opaque {};
pub const SessionOptions = opaque {};
pub const Domain = opaque {};
pub const KernelInfo = opaque {};
pub const KernelContext = opaque {};
pub const Allocator = opaque {};
const TypeAndShape = opaque {};

/// ONNXTensorElementDataType.
pub const Element = enum(c_int) { any = 0, f32 = 1, u8 = 2, i8 = 3, _ };

/// OrtErrorCode.
const Code = enum(c_int) { invalid_argument = 2, not_implemented = 9, invalid_graph = 10 };

pub const dimensions_max = 8;

pub const Error = error{
    /// onnxruntime refused; `Api.status` has its reason.
    Refused,
    /// `Api.refuse` has given the reason.
    Invalid,
};

pub const ApiBase = extern struct {
    getApi: *const fn (wanted: u32) callconv(.c) ?*const Api,
    getVersion: *const fn () callconv(.c) [*:0]const u8,
};

pub const Api = extern struct {
    functions: [279]*const anyopaque,

    const places = .{
        .CreateStatus = .{ 0, fn (Code, [*:0]const u8) callconv(.c) ?*Status },
        .CreateCustomOpDomain = .{ 26, fn ([*:0]const u8, *?*Domain) callconv(.c) ?*Status },
        .CustomOpDomain_Add = .{ 27, fn (*Domain, *const Operator) callconv(.c) ?*Status },
        .AddCustomOpDomain = .{ 28, fn (*SessionOptions, *Domain) callconv(.c) ?*Status },
        .GetTensorMutableData = .{ 51, fn (*const Value, **anyopaque) callconv(.c) ?*Status },
        .GetTensorElementType = .{ 60, fn (*const TypeAndShape, *Element) callconv(.c) ?*Status },
        .GetDimensionsCount = .{ 61, fn (*const TypeAndShape, *usize) callconv(.c) ?*Status },
        .GetDimensions = .{ 62, fn (*const TypeAndShape, [*]i64, usize) callconv(.c) ?*Status },
        .GetTensorTypeAndShape = .{ 65, fn (*const Value, **TypeAndShape) callconv(.c) ?*Status },
        .AllocatorAlloc = .{ 75, fn (*Allocator, usize, **anyopaque) callconv(.c) ?*Status },
        .AllocatorFree = .{ 76, fn (*Allocator, *anyopaque) callconv(.c) ?*Status },
        .KernelInfoGetAttribute_int64 = .{ 86, fn (*const KernelInfo, [*:0]const u8, *i64) callconv(.c) ?*Status },
        .KernelContext_GetInput = .{ 90, fn (*const KernelContext, usize, *?*const Value) callconv(.c) ?*Status },
        .KernelContext_GetOutput = .{ 91, fn (*KernelContext, usize, [*]const i64, usize, *?*Value) callconv(.c) ?*Status },
        .ReleaseStatus = .{ 93, fn (?*Status) callconv(.c) void },
        .ReleaseTensorTypeAndShapeInfo = .{ 99, fn (*TypeAndShape) callconv(.c) void },
        .ReleaseCustomOpDomain = .{ 101, fn (*Domain) callconv(.c) void },
        .ReleaseAllocator = .{ 132, fn (*Allocator) callconv(.c) void },
        .KernelInfo_GetInputCount = .{ 230, fn (*const KernelInfo, *usize) callconv(.c) ?*Status },
        .KernelInfo_GetOutputCount = .{ 231, fn (*const KernelInfo, *usize) callconv(.c) ?*Status },
        .KernelInfoGetConstantInput_tensor = .{ 249, fn (*const KernelInfo, usize, *c_int, *?*const Value) callconv(.c) ?*Status },
        .KernelContext_ParallelFor = .{ 274, fn (*const KernelContext, *const fn (*anyopaque, usize) callconv(.c) void, usize, usize, *anyopaque) callconv(.c) ?*Status },
        .KernelInfoGetAllocator = .{ 278, fn (*const KernelInfo, c_int, **Allocator) callconv(.c) ?*Status },
    };

    pub inline fn function(api: *const Api, comptime name: @Type(.enum_literal)) *const @field(places, @tagName(name))[1] {
        return @ptrCast(api.functions[@field(places, @tagName(name))[0]]);
    }

    pub fn refusal(api: *const Api, code: Code, reason: [*:0]const u8) ?*Status {
        return api.function(.CreateStatus)(code, reason);
    }

    /// Of a tensor: its numbers, their kind and its lengths.
    pub fn tensor(api: *const Api, value: *const Value, to: *Tensor) ?*Status {
        var info: *TypeAndShape = undefined;
        if (api.function(.GetTensorTypeAndShape)(value, &info)) |status| return status;
        defer api.function(.ReleaseTensorTypeAndShapeInfo)(info);
        if (api.function(.GetTensorElementType)(info, &to.element)) |status| return status;
        if (api.function(.GetDimensionsCount)(info, &to.rank)) |status| return status;
        if (to.rank > dimensions_max) return api.refusal(.invalid_argument, "a tensor has too many dimensions");
        if (api.function(.GetDimensions)(info, &to.dimensions, to.rank)) |status| return status;
        return api.function(.GetTensorMutableData)(value, &to.data);
    }
};

pub const Tensor = struct {
    element: Element,
    rank: usize,
    dimensions: [dimensions_max]i64,
    data: *anyopaque,

    pub fn is(tensor: *const Tensor, element: Element, dimensions: []const usize) bool {
        if (tensor.element != element or tensor.rank != dimensions.len) return false;
        for (tensor.dimensions[0..tensor.rank], dimensions) |length, wanted| if (length != wanted) return false;
        return true;
    }
};

pub const Characteristic = enum(c_int) { required = 0, optional = 1, variadic = 2 };

/// OrtCustomOp.
pub const Operator = extern struct {
    version: u32 = version,
    createKernel: ?*const anyopaque = null,
    getName: *const fn (*const Operator) callconv(.c) [*:0]const u8,
    getExecutionProviderType: *const fn (*const Operator) callconv(.c) ?[*:0]const u8 = onProcessor,
    getInputType: *const fn (*const Operator, usize) callconv(.c) Element,
    getInputTypeCount: *const fn (*const Operator) callconv(.c) usize,
    getOutputType: *const fn (*const Operator, usize) callconv(.c) Element,
    getOutputTypeCount: *const fn (*const Operator) callconv(.c) usize,
    kernelCompute: ?*const anyopaque = null,
    kernelDestroy: *const fn (*anyopaque) callconv(.c) void,
    getInputCharacteristic: *const fn (*const Operator, usize) callconv(.c) Characteristic,
    getOutputCharacteristic: *const fn (*const Operator, usize) callconv(.c) Characteristic,
    getInputMemoryType: *const fn (*const Operator, usize) callconv(.c) c_int = defaultMemory,
    getVariadicInputMinArity: *const fn (*const Operator) callconv(.c) c_int = one,
    getVariadicInputHomogeneity: *const fn (*const Operator) callconv(.c) c_int = zero,
    getVariadicOutputMinArity: *const fn (*const Operator) callconv(.c) c_int = one,
    getVariadicOutputHomogeneity: *const fn (*const Operator) callconv(.c) c_int = one,
    createKernelV2: *const fn (*const Operator, *const Api, *const KernelInfo, *?*anyopaque) callconv(.c) ?*Status,
    kernelComputeV2: *const fn (*anyopaque, *KernelContext) callconv(.c) ?*Status,
    inferOutputShape: ?*const anyopaque = null,
    getStartVersion: *const fn (*const Operator) callconv(.c) c_int = one,
    getEndVersion: *const fn (*const Operator) callconv(.c) c_int = any,
    getMayInplace: ?*const anyopaque = null,
    releaseMayInplace: ?*const anyopaque = null,
    getAliasMap: ?*const anyopaque = null,
    releaseAliasMap: ?*const anyopaque = null,

    fn onProcessor(_: *const Operator) callconv(.c) ?[*:0]const u8 {
        return null;
    }

    fn defaultMemory(_: *const Operator, _: usize) callconv(.c) c_int {
        return 0;
    }

    fn zero(_: *const Operator) callconv(.c) c_int {
        return 0;
    }

    fn one(_: *const Operator) callconv(.c) c_int {
        return 1;
    }

    fn any(_: *const Operator) callconv(.c) c_int {
        return std.math.maxInt(c_int);
    }
};
