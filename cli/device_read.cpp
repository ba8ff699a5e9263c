// fotactl device read: the values of a resource, an instance, or a whole object.
#include <fmt/format.h>

#include "cli/device.hpp"
#include "cli/device_render.hpp"
#include "cli/device_session.hpp"

namespace fota::cli {
namespace {

struct Options : DeviceOptions {
    std::string format;
};

void bind(CLI::App& app, Options& o) {
    bind_device_options(app, o, "/OBJECT[/INSTANCE[/RESOURCE[/RESOURCE-INSTANCE]]]");
    app.add_option("--format", o.format,
                   "ask in this content format: text, opaque, cbor, senml-json, senml-cbor, tlv or lwm2m-json");
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto path = path_argument(options.path);
    if (!path) return out.fail(path.error());
    const auto format = format_argument(options.format);
    if (!format) return out.fail(format.error());
    std::vector<lwm2m::Entry> entries;
    const auto work = [&](DeviceSession& session) -> boost::asio::awaitable<Result<>> {
        CO_TRY(entries, co_await session.read(*path, *format));
        co_return Result<>{};
    };
    if (const auto done = run_on_device(program, options, work); !done)
        return out.fail(done.error(), {{"endpoint", options.endpoint}, {"path", path->text()}});
    auto values = nlohmann::json::array();
    for (const auto& entry : entries) {
        out.line(value_line(entry));
        values.push_back(value_json(entry));
    }
    if (entries.empty()) out.note(fmt::format("empty    the device has nothing at {}", path->text()));
    nlohmann::json fields{{"endpoint", options.endpoint}, {"path", path->text()}};
    if (values.size() == 1) fields["value"] = values[0]["value"];
    fields["values"] = std::move(values);
    return out.result("done", std::move(fields));
}

}  // namespace

void add_device_read(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "read", "read a resource, an object instance or a whole object", bind, run);
}

}  // namespace fota::cli
