#include "layout/devicetree.hpp"

#include <algorithm>
#include <deque>

#include "layout/devicetree_store.hpp"
#include "layout/text.hpp"

namespace fota::layout {

std::optional<std::uint64_t> DtProperty::number(std::size_t n) const {
    for (const auto& item : items) {
        if (item.kind != DtItem::Kind::number && item.kind != DtItem::Kind::byte) continue;
        if (n-- == 0) return item.number;
    }
    return std::nullopt;
}

std::vector<std::uint8_t> DtProperty::bytes() const {
    std::vector<std::uint8_t> out;
    for (const auto& item : items)
        if (item.kind == DtItem::Kind::byte) out.push_back(static_cast<std::uint8_t>(item.number));
    return out;
}

bool DtProperty::has_string(std::string_view text) const {
    return std::ranges::any_of(items, [&](const auto& i) { return i.kind == DtItem::Kind::string && i.text == text; });
}

const DtProperty* DtNode::find(std::string_view property) const {
    const auto it = properties.find(property);
    return it == properties.end() ? nullptr : &it->second;
}

bool DtNode::compatible(std::string_view with) const {
    const auto* property = find("compatible");
    return property != nullptr && property->has_string(with);
}

bool DtNode::okay() const {
    const auto* status = find("status");
    return status == nullptr || status->has_string("okay") || status->has_string("ok");
}

std::string DtNode::path() const {
    if (parent == nullptr) return name.empty() ? "/" : name;
    const auto above = parent->path();
    return above == "/" ? "/" + name : above + "/" + name;
}

Devicetree::Devicetree() : store_(std::make_unique<Store>()) {}
Devicetree::~Devicetree() = default;
Devicetree::Devicetree(Devicetree&&) noexcept = default;
Devicetree& Devicetree::operator=(Devicetree&&) noexcept = default;

Result<> Devicetree::add(std::string_view text, const std::string& file) {
    return parse_devicetree(*store_, text, file);
}

const DtNode& Devicetree::root() const {
    return store_->nodes.front();
}

const DtNode* Devicetree::by_label(std::string_view label) const {
    const auto it = store_->labels.find(label);
    return it == store_->labels.end() || it->second->deleted ? nullptr : it->second;
}

const DtNode* Devicetree::by_path(std::string_view path) const {
    const DtNode* node = &root();
    while (!path.empty()) {
        if (path.front() == '/') {
            path.remove_prefix(1);
            continue;
        }
        const auto name = path.substr(0, path.find('/'));
        const auto it =
            std::ranges::find_if(node->children, [&](const DtNode* c) { return !c->deleted && c->name == name; });
        if (it == node->children.end()) return nullptr;
        node = *it;
        path.remove_prefix(name.size());
    }
    return node;
}

const DtProperty* Devicetree::chosen_property(std::string_view name) const {
    const auto* chosen = by_path("/chosen");
    return chosen == nullptr ? nullptr : chosen->find(name);
}

const DtNode* Devicetree::chosen(std::string_view name) const {
    const auto* property = chosen_property(name);
    if (property == nullptr || property->items.empty()) return nullptr;
    const auto& target = property->items.front();
    if (target.kind == DtItem::Kind::string) return by_path(target.text);
    if (target.kind != DtItem::Kind::reference) return nullptr;
    return target.text.starts_with('/') ? by_path(target.text) : by_label(target.text);
}

std::vector<const DtNode*> Devicetree::nodes() const {
    std::vector<const DtNode*> out;
    for (const auto& node : store_->nodes)
        if (!node.deleted) out.push_back(&node);
    return out;
}

bool Devicetree::empty() const {
    return store_->nodes.size() == 1 && root().properties.empty();
}

std::string device_path(std::string_view path) {
    std::string out(path);
    for (std::string_view alias : {"peripheral@4", "peripheral@5"})
        if (const auto at = out.find(alias); at != std::string::npos) out.replace(at, alias.size(), "peripheral@_");
    return out;
}

}  // namespace fota::layout
