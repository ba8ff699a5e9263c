// fotactl device write: one value of one resource.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/device.hpp"
#include "cli/device_session.hpp"
#include "lwm2m/registry.hpp"

namespace fota::cli {
namespace {

struct Options : DeviceOptions {
    std::string value;
    std::string type;
    std::string format;
};

void bind(CLI::App& app, Options& o) {
    bind_device_options(app, o, "/OBJECT/INSTANCE/RESOURCE[/RESOURCE-INSTANCE]");
    app.add_option("VALUE", o.value, "opaque in hexadecimal, a link as 3:0; put -- before a negative number")
        ->required();
    app.add_option("--type", o.type,
                   "of a resource the registry does not know: string, integer, unsigned-integer, float, boolean, "
                   "opaque, time, object-link or core-link");
    app.add_option("--format", o.format,
                   "send in this content format: text, opaque, cbor, senml-json, senml-cbor or tlv");
}

struct Wish {
    lwm2m::Path path;
    lwm2m::Value value;
    std::optional<lwm2m::Format> format;
};

Result<Wish> wish_of(const Options& options) {
    Wish out;
    TRY(out.path, path_argument(options.path));
    if (!out.path.resource)
        return misuse(fmt::format("expected the path of a resource to write, found {}", out.path.text()),
                      "such as /1/0/1");
    TRY(out.format, format_argument(options.format));
    auto type = lwm2m::resource_type(out.path);
    if (!options.type.empty()) {
        const auto named = lwm2m::type_of(options.type);
        if (!named)
            return misuse(fmt::format("expected a type, found {}", printable(options.type, 40)), "--type integer");
        type = *named;
    }
    TRY(out.value, lwm2m::parse_value(options.value, type));
    return out;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto wish = wish_of(options);
    if (!wish) return out.fail(wish.error());
    const auto work = [&](DeviceSession& session) { return session.write(wish->path, wish->value, wish->format); };
    nlohmann::json fields{{"endpoint", options.endpoint}, {"path", wish->path.text()}};
    if (const auto done = run_on_device(program, options, work); !done)
        return out.fail(done.error(), std::move(fields));
    out.line(fmt::format("{} written", wish->path.text()));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_device_write(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "write", "write one value of a resource", bind, run);
}

}  // namespace fota::cli
