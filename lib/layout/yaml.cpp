#include "layout/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "base/text.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t longest = 256U << 10;
constexpr std::size_t deepest = 32;
constexpr std::size_t most_nodes = 20'000;

unsigned line_at(const YAML::Mark& mark) {
    return mark.line < 0 ? 0 : static_cast<unsigned>(mark.line) + 1;
}

/// Thrown through yaml-cpp's parser, caught in parse_yaml.
struct Refused {
    unsigned line;
    const char* why;
};

class Builder final : public YAML::EventHandler {
  public:
    std::shared_ptr<const YamlNode> root() const { return root_; }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        leaf(mark, anchor, YamlNode::Kind::null, {});
    }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  const std::string& value) override {
        leaf(mark, anchor, YamlNode::Kind::scalar, value);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto it = anchors_.find(anchor);
        if (it == anchors_.end()) throw Refused{line_at(mark), "an alias inside its own anchor"};
        count(mark);
        place(it->second);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, anchor, YamlNode::Kind::sequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, anchor, YamlNode::Kind::map);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        std::shared_ptr<YamlNode> node;
        YAML::anchor_t anchor;
        bool have_key = false;
        std::string key;
        unsigned key_line = 0;
    };

    void count(const YAML::Mark& mark) {
        if (++nodes_ > most_nodes) throw Refused{line_at(mark), "more than 20,000 nodes"};
    }
    void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind, const std::string& value) {
        count(mark);
        auto node = std::make_shared<YamlNode>();
        node->kind = kind;
        node->line = line_at(mark);
        node->scalar = value;
        if (anchor != 0) anchors_[anchor] = node;
        place(node);
    }
    void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
        count(mark);
        if (stack_.size() >= deepest) throw Refused{line_at(mark), "more than 32 levels"};
        auto node = std::make_shared<YamlNode>();
        node->kind = kind;
        node->line = line_at(mark);
        stack_.push_back({std::move(node), anchor, false, {}, 0});
    }
    void close() {
        auto done = std::move(stack_.back());
        stack_.pop_back();
        if (done.anchor != 0) anchors_[done.anchor] = done.node;
        place(done.node);
    }
    void place(const std::shared_ptr<const YamlNode>& node) {
        if (stack_.empty()) {
            root_ = node;
            return;
        }
        auto& top = stack_.back();
        if (top.node->kind == YamlNode::Kind::sequence) {
            top.node->items.push_back(node);
        } else if (!top.have_key) {
            top.key = node->scalar;
            top.key_line = node->line;
            top.have_key = true;
        } else {
            top.node->entries.push_back({std::move(top.key), top.key_line, node});
            top.have_key = false;
        }
    }

    std::shared_ptr<const YamlNode> root_ = std::make_shared<YamlNode>();
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, std::shared_ptr<const YamlNode>> anchors_;
    std::size_t nodes_ = 0;
};

}  // namespace

const YamlNode* YamlNode::get(std::string_view key) const {
    for (const auto& entry : entries)
        if (entry.key == key) return entry.value.get();
    return nullptr;
}

const YamlNode* YamlNode::at(std::string_view path) const {
    const auto* node = this;
    while (node != nullptr && !path.empty()) {
        const auto slash = path.find('/');
        node = node->get(path.substr(0, slash));
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    }
    return node;
}

Result<std::shared_ptr<const YamlNode>> parse_yaml(std::string_view text) {
    if (text.size() > longest) return fail(at_line(1, "expected at most 256 KiB of YAML, found more"));
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        Builder builder;
        (void)parser.HandleNextDocument(builder);
        return builder.root();
    } catch (const Refused& refused) {
        return fail(at_line(refused.line, std::string("expected plain YAML, found ") + refused.why));
    } catch (const YAML::Exception& problem) {
        return fail(at_line(line_at(problem.mark), "expected YAML, found: " + printable(problem.msg)));
    } catch (const std::exception& problem) {
        return fail(at_line(1, "expected YAML, found: " + printable(problem.what())));
    }
}

}  // namespace fota::layout
