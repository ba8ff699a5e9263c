// Packages that devices fetch by Block2 from the socket at which they register: each under a path nobody can guess, and
// handed to one endpoint alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "coap/message_layer.hpp"
#include "ports/clock.hpp"
#include "ports/device_link.hpp"

namespace fota::server {

class PackageSource {
  public:
    /// First segment of every package's path.
    static constexpr std::string_view folder = "fw";
    static constexpr std::size_t name_characters = 32;  ///< of the path's second segment
    static constexpr std::size_t etag_bytes = 8;

    PackageSource(boost::asio::io_context& io, ports::Clock& clock) : io_(io), clock_(clock) {}

    /// `secret`: at least 16 bytes. The offer ends with the returned object, which must not outlive the source. A
    /// second offer with the same secret replaces the first. Errors: usage when the URI is too long for devices.
    Result<std::unique_ptr<ports::Offer>> offer(const std::string& endpoint, std::string_view scheme,
                                                std::string_view authority, BytesView image, BytesView secret);
    /// Whose package this is; nullptr when there is none of that name. Who asks must be checked before serve().
    const std::string* owner(const std::string& name) const;
    coap::Answer serve(const std::string& name, const coap::Message& request);

  private:
    struct Entry;
    class Handle;

    boost::asio::io_context& io_;
    ports::Clock& clock_;
    std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
};

}  // namespace fota::server
