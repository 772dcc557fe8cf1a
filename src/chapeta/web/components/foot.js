// What stands under a turn: words, and small buttons that say by their label what they do. One element for all of it, as
// a long chat has many: what NiceGUI draws, it goes through again at every change of the page.
const act = `
  <a v-if="one.href" class="act" :href="one.href" :aria-label="one.label" :title="one.label">
    <i class="material-icons notranslate" aria-hidden="true">{{ one.icon }}</i></a>
  <button v-else type="button" class="act" :aria-label="one.label" :title="one.label" :disabled="one.off"
    @click="$emit('act', one.number)"><i class="material-icons notranslate" aria-hidden="true">{{ one.icon }}</i></button>`;

export default {
  template: `
    <div class="turn-foot">
      <template v-for="one in before">
        <span v-if="one.text !== undefined">{{ one.text }}</span>
        <template v-else>${act}</template>
      </template>
      <span v-if="about">{{ about }}</span>
      <div class="acts"><template v-for="one in acts">${act}</template></div>
    </div>`,
  props: { before: Array, about: String, acts: Array },
  emits: ["act"],
};
