// fotactl device discover: what a device has. For / that is what it registered, else what it answers to a Discover.
#include "cli/device.hpp"
#include "cli/device_render.hpp"
#include "cli/device_session.hpp"

namespace fota::cli {
namespace {

void bind(CLI::App& app, DeviceOptions& o) {
    bind_device_options(app, o, "/ for all objects, or /OBJECT[/INSTANCE[/RESOURCE]]");
}

std::vector<lwm2m::Discovered> registered_objects(const ports::Registration* registration) {
    std::vector<lwm2m::Discovered> out;
    if (registration == nullptr) return out;
    for (const auto& link : registration->parameters.objects) {
        lwm2m::Discovered each{{link.object, link.instance, std::nullopt}, {}};
        if (!link.version.empty()) each.attributes["ver"] = link.version;
        out.push_back(std::move(each));
    }
    return out;
}

int run(Program& program, const DeviceOptions& options) {
    auto& out = program.out;
    std::optional<lwm2m::Path> path;
    if (options.path != "/") {
        auto parsed = path_argument(options.path);
        if (!parsed) return out.fail(parsed.error());
        path = *parsed;
    }
    std::vector<lwm2m::Discovered> found;
    const auto work = [&](DeviceSession& session) -> boost::asio::awaitable<Result<>> {
        if (path) {
            CO_TRY(found, co_await session.discover(*path));
        } else {
            found = registered_objects(session.device().registration());
        }
        co_return Result<>{};
    };
    nlohmann::json fields{{"endpoint", options.endpoint}, {"path", options.path}};
    if (const auto done = run_on_device(program, options, work); !done)
        return out.fail(done.error(), std::move(fields));
    fields["links"] = nlohmann::json::array();
    for (const auto& each : found) {
        out.line(link_line(each.path, each.attributes));
        fields["links"].push_back(link_json(each.path, each.attributes));
    }
    return out.result("done", std::move(fields));
}

}  // namespace

void add_device_discover(CLI::App& group, Program& program) {
    add_command<DeviceOptions>(group, program, "discover", "list the objects, instances and resources of a device",
                               bind, run);
}

}  // namespace fota::cli
