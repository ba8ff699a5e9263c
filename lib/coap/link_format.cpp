#include "coap/link_format.hpp"

#include <fmt/format.h>

namespace fota::coap {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

class Parser {
  public:
    Parser(std::string_view text, LinkLimits limits) : text_(text), limits_(limits) {}

    Result<std::vector<Link>> run() {
        std::vector<Link> links;
        while (skip_space(), !at_end()) {
            if (links.size() == limits_.links)
                return fail(Errc::message_malformed,
                            fmt::format("link list: expected at most {} links, found more", limits_.links));
            TRY(auto link, parse_link());
            links.push_back(std::move(link));
            skip_space();
            // A comma at the very end is forgiven: some clients write one after each link.
            if (!at_end() && !take(',')) return unexpected("',' or the end");
        }
        return links;
    }

  private:
    bool at_end() const { return position_ == text_.size(); }
    bool take(char c) {
        if (at_end() || text_[position_] != c) return false;
        ++position_;
        return true;
    }
    void skip_space() {
        while (!at_end() && is_space(text_[position_])) ++position_;
    }
    Failure unexpected(std::string_view expected) const {
        return fail(Errc::message_malformed, fmt::format("link list: expected {} at offset {}, found {}", expected,
                                                         position_, at_end() ? std::string("the end") : found()));
    }
    std::string found() const {
        const auto c = static_cast<unsigned char>(text_[position_]);
        return c >= 0x20 && c < 0x7f ? fmt::format("'{}'", static_cast<char>(c)) : fmt::format("byte 0x{:02x}", c);
    }

    Result<Link> parse_link() {
        if (!take('<')) return unexpected("'<'");
        const auto end = text_.find('>', position_);
        if (end == std::string_view::npos) {
            position_ = text_.size();
            return unexpected("'>'");
        }
        Link link;
        link.target = text_.substr(position_, end - position_);
        position_ = end + 1;
        std::size_t attributes = 0;
        while (skip_space(), take(';')) {
            if (++attributes > limits_.attributes_per_link)
                return fail(Errc::message_malformed,
                            fmt::format("link list: expected at most {} attributes of a link, found more",
                                        limits_.attributes_per_link));
            skip_space();
            auto name = word("=;,");
            if (name.empty()) return unexpected("an attribute name");
            skip_space();
            std::string value;
            if (take('=')) {
                skip_space();
                if (take('"')) {
                    TRY(value, quoted());
                } else {
                    value = word(";,");
                }
            }
            link.attributes.try_emplace(std::move(name),
                                        std::move(value));  // RFC 6690: the first of a repeated one counts
        }
        return link;
    }

    std::string word(std::string_view stops) {
        const auto begin = position_;
        while (!at_end() && !is_space(text_[position_]) && !stops.contains(text_[position_])) ++position_;
        return std::string(text_.substr(begin, position_ - begin));
    }

    Result<std::string> quoted() {
        std::string value;
        while (!at_end()) {
            const char c = text_[position_++];
            if (c == '"') return value;
            if (c == '\\' && !at_end()) {
                value += text_[position_++];
            } else {
                value += c;
            }
        }
        return unexpected("'\"'");
    }

    std::string_view text_;
    LinkLimits limits_;
    std::size_t position_ = 0;
};

}  // namespace

Result<std::vector<Link>> parse_links(std::string_view text, LinkLimits limits) {
    return Parser(text, limits).run();
}

}  // namespace fota::coap
