#include "server/package_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "coap/block2_server.hpp"
#include "lwm2m/firmware.hpp"
#include "server/signal.hpp"

namespace fota::server {

using boost::asio::awaitable;
using namespace boost::asio::experimental::awaitable_operators;

struct PackageSource::Entry {
    Entry(boost::asio::io_context& io, std::string owner, BytesView body)
        : endpoint(std::move(owner)), image(body), served(io) {
        const auto digest = sha256(body);
        etag.assign(digest.begin(), digest.begin() + etag_bytes);
    }
    std::string endpoint;
    BytesView image;
    Bytes etag;
    ports::FetchProgress progress;
    Signal served;
};

class PackageSource::Handle final : public ports::Offer {
  public:
    Handle(PackageSource& source, std::string name, std::string uri, std::shared_ptr<Entry> entry)
        : source_(source), name_(std::move(name)), uri_(std::move(uri)), entry_(std::move(entry)) {}
    ~Handle() override {
        const auto it = source_.entries_.find(name_);
        if (it != source_.entries_.end() && it->second == entry_) source_.entries_.erase(it);
    }
    Handle(const Handle&) = delete;

    const std::string& uri() const override { return uri_; }
    const ports::FetchProgress& progress() const override { return entry_->progress; }
    awaitable<bool> await_request(std::uint64_t after, Instant deadline) override {
        while (entry_->progress.requests <= after) {
            if (source_.clock_.now() >= deadline) co_return false;
            co_await (entry_->served.wait() || source_.clock_.sleep_until(deadline));
            const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != boost::asio::cancellation_type::none) co_return false;
        }
        co_return true;
    }

  private:
    PackageSource& source_;
    std::string name_;
    std::string uri_;
    std::shared_ptr<Entry> entry_;
};

Result<std::unique_ptr<ports::Offer>> PackageSource::offer(const std::string& endpoint, std::string_view scheme,
                                                           std::string_view authority, BytesView image,
                                                           BytesView secret) {
    if (secret.size() < name_characters / 2 || image.empty())
        return fail(Errc::internal, "an offer needs 16 bytes of secret and something to serve");
    auto name = to_hex(secret.first(name_characters / 2));
    auto uri = fmt::format("{}://{}/{}/{}", scheme, authority, folder, name);
    if (uri.size() > lwm2m::longest_package_uri)
        return fail(Errc::usage, fmt::format("expected a package URI of at most {} characters, found {}: {}",
                                             lwm2m::longest_package_uri, uri.size(), printable(uri)));
    auto entry = std::make_shared<Entry>(io_, endpoint, image);
    entries_[name] = entry;
    return std::unique_ptr<ports::Offer>(
        std::make_unique<Handle>(*this, std::move(name), std::move(uri), std::move(entry)));
}

const std::string* PackageSource::owner(const std::string& name) const {
    const auto it = entries_.find(name);
    return it == entries_.end() ? nullptr : &it->second->endpoint;
}

coap::Answer PackageSource::serve(const std::string& name, const coap::Message& request) {
    const auto it = entries_.find(name);
    if (it == entries_.end()) {
        coap::Answer absent;
        absent.message.code = coap::Code::not_found;
        return absent;
    }
    auto& entry = *it->second;
    auto served = coap::serve_block2(request, {entry.image, entry.etag, coap::Format::opaque});
    if (served.block) {
        auto& progress = entry.progress;
        const auto& block = *served.block;
        if (progress.requests > 0 && progress.block == block.num && progress.block_size == block.size())
            ++progress.repeats;
        ++progress.requests;
        progress.block = block.num;
        progress.block_size = block.size();
        progress.payload_bytes += served.message.payload.size();
        // Everything before the block it asks for has arrived; of the last one nothing more is heard.
        progress.bytes = block.more ? block.offset() : entry.image.size();
        progress.furthest = std::max(progress.furthest, progress.bytes);
        progress.last_request = clock_.now();
        entry.served.notify();
    }
    coap::Answer out;
    out.message = std::move(served.message);
    return out;
}

}  // namespace fota::server
