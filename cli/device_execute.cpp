// fotactl device execute: one executable resource, once.
#include <fmt/format.h>

#include "cli/device.hpp"
#include "cli/device_session.hpp"

namespace fota::cli {
namespace {

struct Options : DeviceOptions {
    std::string arguments;
};

void bind(CLI::App& app, Options& o) {
    bind_device_options(app, o, "/OBJECT/INSTANCE/RESOURCE");
    app.add_option("ARGUMENTS", o.arguments, "as the object defines them, for instance 0='value',1");
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    auto path = path_argument(options.path);
    if (path && (!path->resource || path->resource_instance))
        path =
            misuse(fmt::format("expected the path of a resource to execute, found {}", path->text()), "such as /3/0/4");
    if (!path) return out.fail(path.error());
    const auto work = [&](DeviceSession& session) { return session.execute(*path, options.arguments); };
    nlohmann::json fields{{"endpoint", options.endpoint}, {"path", path->text()}};
    if (const auto done = run_on_device(program, options, work); !done)
        return out.fail(done.error(), std::move(fields));
    out.line(fmt::format("{} executed", path->text()));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_device_execute(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "execute", "execute a resource, once", bind, run);
}

}  // namespace fota::cli
