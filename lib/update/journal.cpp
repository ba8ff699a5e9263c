#include "update/journal.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/bytes.hpp"

namespace fota::update {
namespace {

std::string field(const ports::Fact& fact, const std::string& name) {
    const auto it = fact.fields.find(name);
    return it == fact.fields.end() ? "" : it->second;
}

/// 0 for anything that is no number: a damaged fact means starting over, not failing.
template <class Integer>
Integer number(const ports::Fact& fact, const std::string& name) {
    const auto text = field(fact, name);
    Integer value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::vector<LinkedInstance> linked_of(const ports::Fact& fact) {
    std::vector<LinkedInstance> out;
    std::string_view rest = fact.fields.contains("linked") ? fact.fields.at("linked") : std::string_view();
    while (!rest.empty()) {
        const std::string each(rest.substr(0, rest.find(',')));
        rest.remove_prefix(std::min(rest.size(), each.size() + 1));
        LinkedInstance linked;
        const auto [stop, error] = std::from_chars(each.data(), each.data() + each.size(), linked.instance);
        if (error != std::errc{}) continue;
        linked.name = field(fact, "name-" + each);
        linked.from = field(fact, "from-" + each);
        linked.to = field(fact, "to-" + each);
        out.push_back(std::move(linked));
    }
    return out;
}

}  // namespace

Result<> Journal::append(const std::string& attempt, const char* kind, std::map<std::string, std::string> fields) {
    ports::Fact fact;
    fact.kind = kind;
    fact.subject = endpoint_;
    fact.attempt = attempt;
    fact.fields = std::move(fields);
    return store_.append(std::move(fact), ports::Durability::full);
}

Result<std::optional<OpenAttempt>> Journal::open_attempt(const std::string& image_hex) {
    TRY(const auto facts, store_.facts(endpoint_));
    std::optional<OpenAttempt> open;
    // Of the newest attempt that sent anything, closed or not.
    OpenAttempt sent;
    const auto note = [&] {
        if (open && open->transfer) sent = *open;
    };
    for (const auto& fact : facts) {
        if (fact.kind == "attempt-begun") {
            note();
            open.emplace();
            open->id = fact.attempt;
            open->image = field(fact, "image");
            open->from_version = field(fact, "from");
            continue;
        }
        if (!open || fact.attempt != open->id) continue;
        if (fact.kind == "closed") {
            note();
            open.reset();
        } else if (fact.kind == "downloaded") {
            open->downloaded = true;
        } else if (fact.kind == "execute") {
            open->executed = true;
            open->linked = linked_of(fact);
        } else if (fact.kind == "transfer") {
            open->downloaded = false;
            open->transfer = OpenAttempt::Transfer{from_hex(field(fact, "token")).value_or(Bytes{}),
                                                   number<std::uint64_t>(fact, "offset"),
                                                   number<std::uint32_t>(fact, "block-size"),
                                                   0,
                                                   field(fact, "pull") == "1",
                                                   field(fact, "automatic") == "1"};
        } else if (fact.kind == "block" && open->transfer) {
            // Progress is replaced in place and may be older than the transfer that follows it.
            open->transfer->block = number<std::uint32_t>(fact, "block");
            open->transfer->block_size = number<std::uint32_t>(fact, "block-size");
        }
    }
    note();
    unfinished_.reset();
    if (sent.image != image_hex && !sent.downloaded) unfinished_ = sent.transfer;
    if (open && open->image != image_hex) {
        TRY_VOID(append(open->id, "closed", {{"outcome", "superseded"}}));
        open.reset();
    }
    return open;
}

Result<std::string> Journal::begin(const Target& target, const std::string& from_version) {
    TRY(const auto facts, store_.facts(endpoint_));
    std::uint64_t last = 0;
    for (const auto& fact : facts) last = std::max(last, fact.sequence);
    const auto id = std::to_string(last + 1);
    TRY_VOID(
        append(id, "attempt-begun", {{"image", to_hex(target.hash)}, {"to", target.full()}, {"from", from_version}}));
    return id;
}

Result<> Journal::transfer(const std::string& attempt, const OpenAttempt::Transfer& transfer) {
    TRY_VOID(append(attempt, "transfer",
                    {{"token", to_hex(transfer.token)},
                     {"offset", std::to_string(transfer.offset)},
                     {"block-size", std::to_string(transfer.block_size)},
                     {"pull", transfer.pull ? "1" : "0"},
                     {"automatic", transfer.automatic ? "1" : "0"}}));
    return block(attempt, transfer.block, transfer.block_size);
}

Result<> Journal::block(const std::string& attempt, std::uint32_t block, std::uint32_t block_size) {
    ports::Fact fact;
    fact.kind = "block";
    fact.subject = endpoint_;
    fact.attempt = attempt;
    fact.fields = {{"block", std::to_string(block)}, {"block-size", std::to_string(block_size)}};
    return store_.replace(std::move(fact), ports::Durability::relaxed);
}

Result<> Journal::downloaded(const std::string& attempt) {
    return append(attempt, "downloaded");
}
Result<> Journal::execute(const std::string& attempt, const std::vector<LinkedInstance>& linked) {
    std::map<std::string, std::string> fields;
    for (const auto& each : linked) {
        const auto number = std::to_string(each.instance);
        auto& list = fields["linked"];
        list += (list.empty() ? "" : ",") + number;
        fields["name-" + number] = each.name;
        fields["from-" + number] = each.from;
        fields["to-" + number] = each.to;
    }
    return append(attempt, "execute", std::move(fields));
}
Result<> Journal::proven(const std::string& attempt, const std::string& version) {
    return append(attempt, "proven", {{"version", version}});
}
Result<> Journal::close(const std::string& attempt, Outcome outcome) {
    return append(attempt, "closed", {{"outcome", std::string(outcome_name(outcome))}});
}

}  // namespace fota::update
