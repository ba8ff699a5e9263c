// The objects of the virtual device (1 Server, 3 Device, 5 Firmware Update or 33629 Advanced Firmware Update, 26245
// External Flash): a request in, a reaction out, without I/O and without time. OMA LwM2M Core 1.1, appendix E;
// DESIGN.md section 8 for 26245. What is read, and in which format, is in object_values.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coap/message.hpp"
#include "lwm2m/data.hpp"
#include "lwm2m/path.hpp"
#include "virtdev/board.hpp"
#include "virtdev/firmware_object.hpp"
#include "virtdev/modem_object.hpp"
#include "virtdev/quirks.hpp"
#include "virtdev/reaction.hpp"

namespace fota::virtdev {

class ObjectModel {
  public:
    /// The board must outlive the model.
    ObjectModel(Board& board, QuirkSet quirks, std::chrono::seconds lifetime);

    /// After each boot that ended in an image: RAM is new.
    void after_boot(const BootResult& boot);

    Reaction handle(const coap::Message& request);
    /// Notifications due for observations (RFC 7641) whose value has changed since the last call.
    std::vector<coap::Message> notifications();
    void forget_observations() { observations_.clear(); }
    std::size_t observations() const noexcept { return observations_.size(); }

    /// The object list of a registration, in link format.
    std::string links() const;
    /// 3/0/3
    std::string firmware_version() const;
    std::chrono::seconds lifetime() const noexcept { return lifetime_; }
    const FirmwareObject& firmware() const noexcept { return firmware_; }
    const ModemObject& modem() const noexcept { return modem_; }
    /// For what arrives by a fetch, which is no request.
    FirmwareObject& firmware() noexcept { return firmware_; }

  private:
    enum class Access : std::uint8_t { absent, read, write, read_write, execute };
    struct Observation {
        lwm2m::Path path;
        std::uint32_t sequence = 0;
        coap::Message last;
    };

    Access access(const lwm2m::Path& path) const;
    /// Of one instance; empty where the object or the instance is not there.
    std::vector<std::uint16_t> resources(const lwm2m::Path& path) const;
    /// Instance 0 alone; object 33629 also has the modem's.
    std::vector<std::uint16_t> instances(std::uint16_t object) const;
    /// A readable resource: its value, or those of its instances.
    std::vector<lwm2m::Entry> entries(const lwm2m::Path& resource) const;
    lwm2m::Value value(const lwm2m::Path& resource) const;
    std::vector<lwm2m::Value> values(const lwm2m::Path& resource) const;
    Reaction dispatch(const coap::Message& request);
    Reaction below_root(const coap::Message& request);
    /// Quirk reads-in-blocks: the part of an answer that was asked for.
    Reaction in_parts(const coap::Message& request, Reaction whole);
    Reaction read(const lwm2m::Path& path, const coap::Message& request);
    Reaction discover(const lwm2m::Path& path) const;
    Reaction write(const lwm2m::Path& path, const coap::Message& request);
    Reaction execute(const lwm2m::Path& path, BytesView arguments);
    /// Of a resource, an instance or an object; 4.06 where it has no such format.
    coap::Message content(const lwm2m::Path& path, std::optional<std::uint32_t> accept) const;

    Board& board_;
    QuirkSet quirks_;
    std::chrono::seconds lifetime_;
    FirmwareObject firmware_;
    ModemObject modem_;
    std::int64_t severity_ = 1;   ///< 5/0/11: mandatory
    std::int64_t max_defer_ = 0;  ///< 5/0/13: seconds
    std::map<coap::Token, Observation> observations_;
    std::string unfinished_read_;  ///< path of a Read whose last part was not asked for yet
};

}  // namespace fota::virtdev
