// What the devicetree and its parser share; nothing else includes this.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "layout/devicetree.hpp"

namespace fota::layout {

struct Devicetree::Store {
    std::deque<DtNode> nodes{DtNode{}};  ///< the root first; addresses stay valid
    std::map<std::string, DtNode*, std::less<>> labels;
    std::size_t values = 0;
};

Result<> parse_devicetree(Devicetree::Store& store, std::string_view text, const std::string& file);

}  // namespace fota::layout
