//! BlockProducts, an operator for onnxruntime: x f32 [..., rows, inputs] times one or more quantised matrices.
//!
//! Inputs: x; then of each matrix its integers, int8 [inputs, outputs] or, two of four bits to a byte, uint8
//! [ceil(inputs * outputs / 2)], its scales f32 [ceil(inputs / 64), outputs] and, where the attribute `biased` is 1, its
//! bias f32 [outputs]. They are constants. Outputs: f32 [..., rows, outputs] of each matrix. Attributes: `input_size`
//! (inputs), `biased`, `threads` (among how many the work for one row is shared).
//!
//! Everything that comes in is checked before a pointer is followed; onnxruntime tells the reason of a refusal.

const std = @import("std");
const ort = @import("onnxruntime.zig");
const activations = @import("activations.zig");
const weights = @import("weights.zig");
const product = @import("product.zig");

const domain_name = "personal_ai";
const matrices_max = 3;
const inputs_max = 1 << 20;
const outputs_max = 1 << 24;
const threads_max = 1 << 10;
const stack_blocks = 128; // of activations: more of them are kept in memory of onnxruntime's
const rows_at_once = 16; // that are quantised by one task
const task_tiles_min = 4;

const Matrix = struct {
    weights: union(enum) { eight: weights.Weights(8), four: weights.Weights(4) },
    bias: ?[*]const f32,

    fn outputs(matrix: *const Matrix) usize {
        return switch (matrix.weights) {
            inline else => |w| w.outputs,
        };
    }

    fn tileCount(matrix: *const Matrix) usize {
        return switch (matrix.weights) {
            inline else => |w| w.tileCount(),
        };
    }
};

const Kernel = struct {
    api: *const ort.Api,
    allocator: *ort.Allocator,
    inputs: usize,
    threads: usize,
    count: usize,
    matrices: [matrices_max]Matrix,

    fn create(_: *const ort.Operator, api: *const ort.Api, info: *const ort.KernelInfo, to: *?*anyopaque) callconv(.c) ?*ort.Status {
        var allocator: *ort.Allocator = undefined;
        if (api.function(.KernelInfoGetAllocator)(info, 0, &allocator)) |status| return status;
        var memory: *anyopaque = undefined;
        if (api.function(.AllocatorAlloc)(allocator, @sizeOf(Kernel), &memory)) |status| {
            api.function(.ReleaseAllocator)(allocator);
            return status;
        }
        const kernel: *Kernel = @ptrCast(@alignCast(memory));
        kernel.api = api;
        kernel.allocator = allocator;
        if (kernel.read(info)) |status| {
            destroy(kernel);
            return status;
        }
        to.* = kernel;
        return null;
    }

    fn destroy(memory: *anyopaque) callconv(.c) void {
        const kernel: *Kernel = @ptrCast(@alignCast(memory));
        const api, const allocator = .{ kernel.api, kernel.allocator };
        api.function(.ReleaseStatus)(api.function(.AllocatorFree)(allocator, kernel));
        api.function(.ReleaseAllocator)(allocator);
    }

    fn read(kernel: *Kernel, info: *const ort.KernelInfo) ?*ort.Status {
        const api = kernel.api;
        var inputs: i64 = 0;
        var biased: i64 = 0;
        var threads: i64 = 0;
        var given: usize = 0;
        if (api.function(.KernelInfoGetAttribute_int64)(info, "input_size", &inputs)) |status| return status;
        if (api.function(.KernelInfoGetAttribute_int64)(info, "biased", &biased)) |status| return status;
        if (api.function(.KernelInfoGetAttribute_int64)(info, "threads", &threads)) |status| return status;
        if (api.function(.KernelInfo_GetOutputCount)(info, &kernel.count)) |status| return status;
        if (api.function(.KernelInfo_GetInputCount)(info, &given)) |status| return status;
        if (inputs < 1 or inputs > inputs_max) return invalid(api, "input_size is out of range");
        if (kernel.count < 1 or kernel.count > matrices_max) return invalid(api, "one to three outputs are possible");
        const parts: usize = if (biased == 0) 2 else 3;
        if (given != 1 + parts * kernel.count) return invalid(api, "outputs and matrices do not agree");
        if (threads < 1 or threads > threads_max) return invalid(api, "threads is out of range");
        kernel.inputs = @intCast(inputs);
        kernel.threads = @intCast(threads);
        for (kernel.matrices[0..kernel.count], 0..) |*matrix, i| {
            if (kernel.readMatrix(info, 1 + parts * i, biased != 0, matrix)) |status| return status;
        }
        return null;
    }

    fn readMatrix(kernel: *Kernel, info: *const ort.KernelInfo, first: usize, biased: bool, to: *Matrix) ?*ort.Status {
        const api = kernel.api;
        var integers: ort.Tensor = undefined;
        var scales: ort.Tensor = undefined;
        if (constant(api, info, first, &integers)) |status| return status;
        if (constant(api, info, first + 1, &scales)) |status| return status;
        if (scales.rank != 2 or scales.dimensions[1] < 1 or scales.dimensions[1] > outputs_max) return invalid(api, "scales have no outputs");
        const outputs: usize = @intCast(scales.dimensions[1]);
        if (!scales.is(.f32, &.{ divCeil(kernel.inputs, weights.block), outputs })) return invalid(api, "scales do not fit");
        if (integers.is(.i8, &.{ kernel.inputs, outputs })) {
            to.weights = .{ .eight = .{ .integers = @ptrCast(integers.data), .scales = @ptrCast(@alignCast(scales.data)), .inputs = kernel.inputs, .outputs = outputs } };
        } else if (integers.is(.u8, &.{(kernel.inputs * outputs + 1) / 2})) {
            to.weights = .{ .four = .{ .integers = @ptrCast(integers.data), .scales = @ptrCast(@alignCast(scales.data)), .inputs = kernel.inputs, .outputs = outputs } };
        } else return invalid(api, "integers do not fit");
        to.bias = null;
        if (biased) {
            var bias: ort.Tensor = undefined;
            if (constant(api, info, first + 2, &bias)) |status| return status;
            if (!bias.is(.f32, &.{outputs})) return invalid(api, "a bias does not fit");
            to.bias = @ptrCast(@alignCast(bias.data));
        }
        return null;
    }

    fn compute(memory: *anyopaque, context: *ort.KernelContext) callconv(.c) ?*ort.Status {
        const kernel: *Kernel = @ptrCast(@alignCast(memory));
        const api = kernel.api;
        var value: ?*const ort.Value = null;
        if (api.function(.KernelContext_GetInput)(context, 0, &value)) |status| return status;
        var x: ort.Tensor = undefined;
        if (api.tensor(value orelse return invalid(api, "x is missing"), &x)) |status| return status;
        if (x.element != .f32 or x.rank == 0 or x.dimensions[x.rank - 1] != kernel.inputs) return invalid(api, "x does not fit");
        var rows: usize = 1;
        for (x.dimensions[0 .. x.rank - 1]) |length| rows *= @intCast(length);

        var work = Work{ .kernel = kernel, .x = @ptrCast(@alignCast(x.data)), .rows = rows, .blocks = undefined, .results = undefined };
        for (work.results[0..kernel.count], kernel.matrices[0..kernel.count], 0..) |*result, *matrix, i| {
            x.dimensions[x.rank - 1] = @intCast(matrix.outputs());
            var output: ?*ort.Value = null;
            if (api.function(.KernelContext_GetOutput)(context, i, &x.dimensions, x.rank, &output)) |status| return status;
            var data: *anyopaque = undefined;
            if (api.function(.GetTensorMutableData)(output orelse return invalid(api, "an output is missing"), &data)) |status| return status;
            result.* = @ptrCast(@alignCast(data));
        }
        const count = rows * work.blockCount();
        if (count <= stack_blocks) {
            var blocks: [stack_blocks]activations.Block = undefined;
            work.blocks = &blocks;
            return work.run(context);
        }
        var scratch: *anyopaque = undefined;
        if (api.function(.AllocatorAlloc)(kernel.allocator, count * @sizeOf(activations.Block), &scratch)) |status| return status;
        work.blocks = @ptrCast(@alignCast(scratch));
        const failed = work.run(context);
        const unfreed = api.function(.AllocatorFree)(kernel.allocator, scratch);
        return failed orelse unfreed;
    }
};

/// One computation of a kernel.
const Work = struct {
    kernel: *const Kernel,
    x: [*]const f32,
    rows: usize,
    blocks: [*]activations.Block,
    results: [matrices_max][*]f32,

    fn blockCount(work: *const Work) usize {
        return divCeil(work.kernel.inputs, weights.block);
    }

    fn run(work: *Work, context: *ort.KernelContext) ?*ort.Status {
        if (work.rows == 0) return null;
        const parallel = work.kernel.api.function(.KernelContext_ParallelFor);
        const groups = divCeil(work.rows, rows_at_once);
        if (groups == 1) quantise(work, 0) else if (parallel(context, quantise, groups, groups, work)) |status| return status;
        const tasks = work.taskCount();
        if (tasks == 1) {
            multiply(work, 0);
            return null;
        }
        return parallel(context, multiply, tasks, tasks, work);
    }

    fn quantise(memory: *anyopaque, group: usize) callconv(.c) void {
        const work: *Work = @ptrCast(@alignCast(memory));
        const first = group * rows_at_once;
        const count = @min(rows_at_once, work.rows - first);
        const inputs = work.kernel.inputs;
        const blocks = work.blockCount();
        activations.quantise(work.x[first * inputs ..][0 .. count * inputs], inputs, work.blocks[first * blocks ..][0 .. count * blocks]);
    }

    /// The tiles of all matrices, one matrix after the other.
    fn tileCount(work: *const Work) usize {
        var tiles: usize = 0;
        for (work.kernel.matrices[0..work.kernel.count]) |*matrix| tiles += matrix.tileCount();
        return tiles;
    }

    /// One row wants wide tasks: memory is read fastest from its beginning to its end.
    fn tilesOfTask(work: *const Work) usize {
        if (work.rows > 1) return 1;
        const share = divCeil(work.tileCount(), work.kernel.threads);
        return std.math.clamp(share, task_tiles_min, product.stretch_tiles);
    }

    fn piecesOfRows(work: *const Work) usize {
        return divCeil(work.rows, product.rows_max);
    }

    fn taskCount(work: *const Work) usize {
        return divCeil(work.tileCount(), work.tilesOfTask()) * work.piecesOfRows();
    }

    fn multiply(memory: *anyopaque, task: usize) callconv(.c) void {
        const work: *Work = @ptrCast(@alignCast(memory));
        const row = task % work.piecesOfRows() * product.rows_max;
        const tiles = work.tilesOfTask();
        var first = task / work.piecesOfRows() * tiles;
        var end = first + tiles;
        for (work.kernel.matrices[0..work.kernel.count], work.results[0..work.kernel.count]) |*matrix, result| {
            const count = matrix.tileCount();
            if (first < count and end > 0) {
                const rows = product.Rows{
                    .x = work.blocks + row * work.blockCount(),
                    .y = result + row * matrix.outputs(),
                    .count = @min(product.rows_max, work.rows - row),
                };
                switch (matrix.weights) {
                    .eight => |w| product.Product(8).multiply(w, matrix.bias, rows, first, @min(end, count)),
                    .four => |w| product.Product(4).multiply(w, matrix.bias, rows, first, @min(end, count)),
                }
            }
            first -|= count;
            end -|= count;
        }
    }
};

fn divCeil(a: usize, b: usize) usize {
    return (a + b - 1) / b;
}

fn constant(api: *const ort.Api, info: *const ort.KernelInfo, index: usize, to: *ort.Tensor) ?*ort.Status {
    var is_constant: c_int = 0;
    var value: ?*const ort.Value = null;
    if (api.function(.KernelInfoGetConstantInput_tensor)(info, index, &is_constant, &value)) |status| return status;
    if (is_constant == 0) return invalid(api, "a matrix is no constant");
    return api.tensor(value orelse return invalid(api, "a matrix is missing"), to);
}

fn invalid(api: *const ort.Api, comptime reason: []const u8) ?*ort.Status {
    return api.refusal(.invalid_argument, "BlockProducts: " ++ reason);
}

const block_products = ort.Operator{
    .getName = struct {
        fn name(_: *const ort.Operator) callconv(.c) [*:0]const u8 {
            return "BlockProducts";
        }
    }.name,
    .getInputType = struct {
        fn kind(_: *const ort.Operator, index: usize) callconv(.c) ort.Element {
            return if (index == 0) .f32 else .any;
        }
    }.kind,
    .getOutputType = struct {
        fn kind(_: *const ort.Operator, _: usize) callconv(.c) ort.Element {
            return .f32;
        }
    }.kind,
    .getInputTypeCount = always(2),
    .getOutputTypeCount = always(1),
    .getInputCharacteristic = characteristic(1),
    .getOutputCharacteristic = characteristic(0),
    .createKernelV2 = Kernel.create,
    .kernelComputeV2 = Kernel.compute,
    .kernelDestroy = Kernel.destroy,
};

fn always(comptime number: usize) fn (*const ort.Operator) callconv(.c) usize {
    return struct {
        fn get(_: *const ort.Operator) callconv(.c) usize {
            return number;
        }
    }.get;
}

fn characteristic(comptime variadic: usize) fn (*const ort.Operator, usize) callconv(.c) ort.Characteristic {
    return struct {
        fn get(_: *const ort.Operator, index: usize) callconv(.c) ort.Characteristic {
            return if (index == variadic) .variadic else .required;
        }
    }.get;
}

/// Called by onnxruntime for each session's options. The domain is made once and stays.
export fn RegisterCustomOps(options: *ort.SessionOptions, base: *const ort.ApiBase) callconv(.c) ?*ort.Status {
    const api = base.getApi(ort.version) orelse {
        const first = base.getApi(1) orelse return null; // such an onnxruntime does not exist
        return first.refusal(.not_implemented, "this onnxruntime is too old for personal_ai's operators");
    };
    var domain: ?*ort.Domain = @atomicLoad(?*ort.Domain, &registered, .acquire);
    if (domain == null) {
        if (api.function(.CreateCustomOpDomain)(domain_name, &domain)) |status| return status;
        if (api.function(.CustomOpDomain_Add)(domain.?, &block_products)) |status| return status;
        if (@cmpxchgStrong(?*ort.Domain, &registered, null, domain, .acq_rel, .acquire)) |other| {
            api.function(.ReleaseCustomOpDomain)(domain.?);
            domain = other;
        }
    }
    return api.function(.AddCustomOpDomain)(options, domain.?);
}

var registered: ?*ort.Domain = null;

pub const panic = std.debug.no_panic;
